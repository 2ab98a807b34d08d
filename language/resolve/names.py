"""What the program's names stand for: connections are outside, warehouses inside, datasets have three parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from language.forms.syntax import (
    CreateCoded,
    CreateConnection,
    CreateFunction,
    CreateView,
    CreateWarehouse,
    Insert,
    Name,
    Part,
    Statement,
    Syntax,
)
from language.resolve.dataset_names import plain
from language.text.diagnostics import Diagnostic, Problem, Span, ToldElsewhere, did_you_mean
from shared_metadata import naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import MASK_KEY
from shared_metadata.program.source_schemas import NO_DEFAULTS, SourceSchemas, TableDefaults

_QUALIFIER = re.compile(r'\b([a-z_][a-z0-9_]*+)"?\s*+\.', re.IGNORECASE)

AUTO = "auto"  # the engine of statements that the warehouse's own slice computes while they are small
_DECLARE = "declare it with CREATE CONNECTION or CREATE WAREHOUSE"
E = TypeVar("E")


class Undeclared(ToldElsewhere):
    """A name of something whose own statement is broken."""


@dataclass
class Names:
    """The endpoints of a program and the installed slices; `broken` are names whose statements could not be read."""

    slices: Mapping[str, Slice]
    connections: dict[str, CreateConnection] = field(default_factory=dict)
    warehouses: dict[str, CreateWarehouse] = field(default_factory=dict)
    broken: frozenset[tuple[str, ...]] = frozenset()
    targets: frozenset[tuple[str, ...]] = frozenset()  # the folded names of all that the program's statements make
    schemas: SourceSchemas | None = None  # None where nothing of the sources is to be known
    functions: dict[str, CreateFunction] = field(default_factory=dict)  # in SQL
    coded: dict[str, CreateCoded] = field(default_factory=dict)  # and in code
    called: set[str] = field(default_factory=set)  # functions that a statement's query has come to

    def endpoint(self, name: str, span: Span, remedy: str = "") -> CreateConnection | CreateWarehouse:
        """The connection or warehouse of that folded name. Raises Problem, or Undeclared.

        remedy: what to do where there is none, and none that is called nearly so.
        """
        found = self.connections.get(name) or self.warehouses.get(name)
        if found is not None:
            return found
        if (name,) in self.broken:
            raise Undeclared
        raise Problem(
            span,
            f"`{span.text}` is neither a connection nor a warehouse",
            near + _DECLARE if (near := did_you_mean(name, [*self.connections, *self.warehouses])) or not remedy else remedy,
        )

    def of_target(self, target: Name, *, published: bool) -> CreateConnection | CreateWarehouse:
        """That with whose name a target begins. Raises Problem, or Undeclared.  published: whether it may be outside."""
        later = next((number for number, part in enumerate(target.parts) if part.folded in self.warehouses), 0)
        warehouse, remedy = next(iter(self.warehouses), ""), ""
        if later:
            remedy = f"write {'.'.join(part.text for part in target.parts[later:])}"
        elif warehouse and len(target.parts) < 3:
            remedy = f"begin with the warehouse, as in {warehouse}.{'schema.' if len(target.parts) == 1 else ''}{target.dotted}"
            if published and (connection := next(iter(self.connections), "")):
                remedy += f", or with the connection to publish to, as in {connection}.{target.dotted}"
        return self.endpoint(target.parts[0].folded, target.parts[0].span, remedy)

    def defaults(self, connection: CreateConnection, table: str) -> TableDefaults | None:
        """What a source's table says of itself; None where nothing of the sources is to be known.  table: '' for a query's rows."""
        if self.schemas is None:
            return None
        known = self.schemas.get(connection.name.folded)
        return known.defaults_of(table) if known is not None and table else NO_DEFAULTS

    def declares(self, name: str) -> bool:
        """Whether a folded name is a connection's or a warehouse's, of a statement that can be read or not."""
        return name in self.connections or name in self.warehouses or (name,) in self.broken

    def meant(self, parts: tuple[str, ...]) -> str:
        """'did you mean `lake.ops.flights`? ' for a name, folded, that ends as one of the program's, or nearly so; else ''."""
        ends = {".".join(target[-len(parts) :]): ".".join(target) for target in sorted(self.targets, reverse=True)}
        name = ".".join(parts)
        return f"did you mean `{ends[name]}`? " if name in ends else did_you_mean(name, ends, most=len(ends), said=ends)

    def first_named(self, span: Span, endpoints: Mapping[str, E]) -> E | None:
        """The endpoint whose name, with a dot after it, stands first in the text at `span`."""
        found = (endpoints.get(match[1].lower()) for match in _QUALIFIER.finditer(span.text)) if endpoints else ()
        return next((endpoint for endpoint in found if endpoint is not None), None)

    def is_broken(self, dataset: tuple[str, ...]) -> bool:
        """Whether a statement that could not be read may be what makes this dataset."""
        return any(dataset[:length] in self.broken for length in range(1, len(dataset) + 1))

    def slice(self, stage: str, endpoint: CreateConnection | CreateWarehouse, span: Span) -> Slice:
        """The slice that serves `endpoint` in `stage`. Raises Problem, placed at `span`, if none is installed."""
        system = endpoint.system.folded
        found = self.slices.get(f"{stage}.{system}")
        if found is not None:
            return found
        able = ", ".join(sorted(s.system for s in self.slices.values() if s.stage == stage and not s.warehouse)) or "none"
        verb = {"collect": "collect from", "harness": "publish to", "organize": "organize in"}[stage]
        raise Problem(
            span,
            f"there is no slice to {verb} `{system}` ({stage}.{system} is not installed)",
            f"installed for this: {able}",
        )

    def organizer(self, warehouse: CreateWarehouse | CreateConnection, named: Part | None, span: Span) -> Slice:
        """The slice that computes a query in the warehouse: with the engine that the statement names, or else the warehouse's.

        Raises Problem where there is none.
        """
        engine, place = _engine(warehouse, named, span)
        if engine in ("", AUTO):
            return self.slice("organize", warehouse, span)
        return self.computes(warehouse, engine, place)

    def larger(self, warehouse: CreateWarehouse | CreateConnection, named: Part | None, span: Span) -> Slice | None:
        """Where the engine is 'auto', the slice that computes what is too large for the warehouse's own: that of the warehouse's
        option `larger`, or the first that takes over. Raises Problem where there is none.
        """
        engine, place = _engine(warehouse, named, span)
        if engine != AUTO:
            return None
        options = warehouse.options if isinstance(warehouse, CreateWarehouse) else ()
        chosen = next((option for option in options if option.key == "larger"), None)
        able = {s.engine: s for s in self.slices.values() if s.works_in == warehouse.system.folded and s.takes_over}
        if chosen is not None and str(chosen.value).lower() in able:
            return able[str(chosen.value).lower()]
        if chosen is not None or not able:
            known = f"those that do are {', '.join(sorted(able))}" if able else f"a warehouse of {warehouse.system.folded} has none"
            what = f"`{chosen.value}`" if chosen is not None else "no engine"
            raise Problem(chosen.value_span if chosen else place, f"{what} does not take over what is too large", known)
        return min(able.values(), key=lambda one: one.takes_over)

    def computes(self, warehouse: CreateWarehouse | CreateConnection, engine: str, span: Span) -> Slice:
        """The slice with that engine for the warehouse. Raises Problem, placed at `span`, if none is installed."""
        system = warehouse.system.folded
        able = {s.engine: s for s in self.slices.values() if s.stage == "organize" and s.works_in == system and s.engine}
        if engine in able:
            return able[engine]
        known = ", ".join(sorted(able))
        remedy = f"its engines are {known}" if able else f"{system} has no engines to choose from: leave it out"
        raise Problem(span, f"there is no engine `{engine}` for a warehouse of {system}", did_you_mean(engine, able) + remedy)


def _engine(warehouse: CreateWarehouse | CreateConnection, named: Part | None, span: Span) -> tuple[str, Span]:
    """The engine that a statement names, or else its warehouse, '' for none; and where."""
    if named is not None:
        return named.folded, named.span
    option = warehouse.engine if isinstance(warehouse, CreateWarehouse) else None
    return (str(option.value).lower(), option.value_span) if option is not None else ("", span)


def _targets(statement: Statement) -> Iterator[tuple[str, ...]]:
    """The folded names of what a statement makes."""
    if isinstance(statement, CreateView | Insert):
        listed = statement.clauses.tables
        tables = [(name.parts[-1].folded,) for name in listed.tables] if listed is not None else [()]
        yield from ((*statement.target.folded, *table) for table in tables)


def declare(syntax: Syntax, slices: Mapping[str, Slice], problems: list[Diagnostic]) -> Names:
    """The names that a program declares; what is wrong with them is added to `problems`."""
    names = Names(slices, targets=frozenset(target for statement in syntax.statements for target in _targets(statement)))
    broken = {name.folded for name in syntax.broken}
    for statement in syntax.statements:
        if not isinstance(statement, (CreateConnection, CreateWarehouse)):
            continue
        try:
            _check_endpoint(statement, names)
        except Problem as problem:
            problems += problem.diagnostics
            broken.add((statement.name.folded,))
            continue
        if isinstance(statement, CreateConnection):
            names.connections[statement.name.folded] = statement
        else:
            names.warehouses[statement.name.folded] = statement
    names.broken = frozenset(broken)
    return names


def _check_endpoint(statement: CreateConnection | CreateWarehouse, names: Names) -> None:
    name, system = statement.name.folded, statement.system
    plain(statement.name, "cannot name a connection or warehouse", "use letters, digits and _")
    twin = names.connections.get(name) or names.warehouses.get(name)
    if twin is not None:
        cause = f"the name `{name}` is given twice, first at {twin.name.span.position}"
        raise Problem(statement.name.span, cause, "rename one of them")
    _check_secret(statement)
    stages = ("organize",) if isinstance(statement, CreateWarehouse) else ("collect", "harness")
    able = sorted({s.system for s in names.slices.values() if s.stage in stages and not s.warehouse})
    if system.folded not in able:
        what = "warehouse of" if isinstance(statement, CreateWarehouse) else "connection to"
        raise Problem(
            system.span,
            f"no slice for a {what} `{system.text}` is installed",
            _as_engine(statement, names) or did_you_mean(system.text, able) + f"installed: {', '.join(able) or 'none'}",
        )
    if isinstance(statement, CreateWarehouse) and statement.engine is not None:
        names.organizer(statement, None, system.span)
        names.larger(statement, None, system.span)


def _as_engine(statement: CreateConnection | CreateWarehouse, names: Names) -> str:
    """What to write where a warehouse is said to be of what is an engine; '' where it is none."""
    for slice_ in names.slices.values() if isinstance(statement, CreateWarehouse) else ():
        if slice_.warehouse and slice_.engine == statement.system.folded:
            return f"it is an engine of {slice_.warehouse}: USING {slice_.warehouse} WITH (engine = '{slice_.engine}')"
    return ""


def _check_secret(statement: CreateConnection | CreateWarehouse) -> None:
    """A grant is made of its name, in which * would stand for other secrets too."""
    key = "secret" if isinstance(statement, CreateConnection) else MASK_KEY
    option = next((option for option in statement.options if option.key == key), None)
    if option and not naming.SECRET_REFERENCE.fullmatch(str(option.value or "-")):
        raise Problem(option.value_span, f"{option.value_span.text} cannot be the name of a secret", naming.SECRET_CHARACTERS)
