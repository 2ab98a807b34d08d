"""MASK: which columns of what is collected, and which fields of structs, are hashed or dropped, and what a MASK cannot ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from language.forms.resolved import Collect, MaskedPath, ResolvedProgram, Settings
from language.forms.syntax import Clauses, MaskedColumn, Name, TableList
from language.resolve.outputs import output_columns
from language.sql.query import OWN_COLUMNS, Query
from language.text.diagnostics import Diagnostic, Gathering, Problem, did_you_mean
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import MASK_KEY, Mask, Masks
from shared_metadata.program.masks import Path, by_name
from shared_metadata.program.type_names import TypeName, parsed, spelled

_FIELDS = 12  # that an error names


def query_masks(query: Query, clauses: Clauses, casts: Mapping[str, str]) -> tuple[MaskedPath, ...]:
    """A collect query's masks.  casts: its columns that are cast, and to what: a struct among them has fields. Raises Problem."""
    found = []
    with Gathering() as gathering:
        for masked in clauses.masks:
            path = gathering(_path, masked.name, query, casts)
            found += [MaskedPath(path, masked.how, masked.name)] if path else []
        gathering(_refuse_twins, found)
        gathering(_refuse_nothing_left, found, casts)
    return tuple(found)


def _path(name: Name, query: Query, casts: Mapping[str, str]) -> Path:
    column, *fields = name.parts
    path: Path = (column.folded,)
    if fields and column.folded not in casts:
        raise _no_struct(name, output_columns(query))
    kind = parsed(casts[column.folded]) if fields else TypeName("")
    for field in fields:
        if kind.word != "struct":
            cause = f"`{spelled(path)}` is a {kind}, and only a struct has fields that can be masked"
            raise Problem(name.span, cause, f"mask `{spelled(path)}` as a whole")
        known = {each.lower(): (each, part) for each, part in kind.named()}
        if field.folded not in known:
            remedy = did_you_mean(field.text, kind.fields) + f"it has {_listed(kind.fields)}"
            raise Problem(field.span, f"`{spelled(path)}` has no field `{field.text}`", remedy)
        each, kind = known[field.folded]
        path = (*path, each)
    return path


def _no_struct(name: Name, known: frozenset[str] | None) -> Problem:
    """The problem of a name of several parts whose first is no column that is cast to a struct."""
    column, last = name.parts[0], name.parts[-1]
    if known is None or column.folded in known:
        remedy = f"CAST it in the SELECT to a struct with a field {spelled([last.text])}, or mask `{column.text}` as a whole"
        return Problem(name.span, f"`{column.text}` is cast to no struct, so it has no fields that could be masked", remedy)
    near = did_you_mean(column.text, known) + f"mask one of {_listed(sorted(known))}"
    return Problem(name.span, f"`{name.dotted}` names no column of the query", f"write {last.text}" if last.folded in known else near)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_FIELDS]) + (" …" if len(names) > _FIELDS else "")


def table_masks(clauses: Clauses, listed: TableList) -> dict[tuple[str, ...], tuple[MaskedPath, ...]]:
    """The masks by the folded name of a listed table. Raises Problem for a column of none of them, or of one that is not said."""
    found: dict[tuple[str, ...], list[MaskedPath]] = {}
    with Gathering() as gathering:
        for masked in clauses.masks:
            table = gathering(_table_of, masked, listed)
            if table is not None:
                path = (masked.name.parts[-1].folded,)
                found.setdefault(table.folded, []).append(MaskedPath(path, masked.how, masked.name))
        for masks in found.values():
            gathering(_refuse_twins, masks)
    return {table: tuple(masks) for table, masks in found.items()}


def _table_of(masked: MaskedColumn, listed: TableList) -> Name:
    owner = masked.name.folded[:-1]
    if not owner and len(listed.tables) > 1:
        remedy = f"write {listed.tables[0].dotted}.{masked.name.dotted}, or another of the tables"
        raise Problem(masked.name.span, f"`{masked.name.dotted}` does not say of which table it is a column", remedy)
    for table in listed.tables:
        if not owner or table.folded[-len(owner) :] == owner:
            return table
    names = [table.dotted for table in listed.tables]
    remedy = did_you_mean(".".join(owner), names) + f"name a column of {', '.join(names)}"
    raise Problem(masked.name.span, f"`{masked.name.dotted}` is of none of the tables that are collected", remedy)


def _refuse_twins(masks: Sequence[MaskedPath]) -> None:
    """Raises Problem where something is masked twice, by itself or with all that it is part of."""
    seen: dict[Path, MaskedPath] = {}
    with Gathering() as gathering:
        for masked in masks:
            for first in seen.values():
                if masked.path[: len(first.path)] == first.path[: len(masked.path)]:
                    gathering(_refuse_twin, masked, first)
                    break
            seen.setdefault(masked.path, masked)


def _refuse_twin(masked: MaskedPath, first: MaskedPath) -> None:
    said, where = f"`{masked.name.dotted}`", first.name.span.position
    if masked.path == first.path:
        raise Problem(masked.name.span, f"{said} is masked twice, first at {where}", "keep one of them")
    inside = "a part of" if len(masked.path) > len(first.path) else "what holds"
    cause = f"{said} is {inside} `{first.name.dotted}`, which is masked at {where}"
    raise Problem(masked.name.span, cause, "keep one of them: the whole, or fields of it")


def _refuse_nothing_left(masks: Sequence[MaskedPath], casts: Mapping[str, str]) -> None:
    """Raises Problem for a struct of which every field is dropped."""
    dropped = {masked.path: masked for masked in masks if masked.how is Mask.DROP and masked.is_field}
    with Gathering() as gathering:
        for path in _emptied(by_name(dict.fromkeys(dropped, Mask.DROP)), casts):
            first = next(masked for each, masked in dropped.items() if each[: len(path)] == path)
            gathering(_refuse_empty, first, path)


def _emptied(dropped: Masks, casts: Mapping[str, str]) -> Iterator[Path]:
    """The structs of which each field is dropped by itself.  dropped: fields of columns that are cast."""
    waiting: list[tuple[Path, TypeName, Mask | Masks]] = [((column,), parsed(casts[column]), f) for column, f in dropped.items()]
    while waiting:
        path, kind, fields = waiting.pop()
        assert isinstance(fields, Mapping)
        if all(fields.get(name) == Mask.DROP for name in kind.fields):
            yield path
        waiting += [((*path, name), part, fields[name]) for name, part in kind.named() if isinstance(fields.get(name), Mapping)]


def _refuse_empty(first: MaskedPath, path: Path) -> None:
    raise Problem(first.name.span, f"MASK drops every field of `{spelled(path)}`", f"leave one, or drop `{spelled(path)}` as a whole")


def check_masks(masks: Sequence[MaskedPath], clauses: Clauses, settings: Settings, collector: Slice) -> None:
    """Raises Problem for what has to stay as it is."""
    with Gathering() as gathering:
        for masked in masks:
            gathering(_check_mask, masked, clauses, settings, collector)


def _check_mask(masked: MaskedPath, clauses: Clauses, settings: Settings, collector: Slice) -> None:
    name, span, dropped = masked.column, masked.name.span, masked.how is Mask.DROP and not masked.is_field
    if name in OWN_COLUMNS:
        raise Problem(span, f"`{name}` is Atoll's own, and holds nothing of the source", "remove it from MASK")
    if name == settings.cursor:
        remedy = "leave it clear, or name another CURSOR"
        raise Problem(span, f"`{name}` is the CURSOR: its values are compared and kept between batches", remedy)
    if name in collector.capabilities.never_masked:
        remedy = "remove it from MASK; a view can leave it out, or replace it by another column"
        raise Problem(span, f"`{name}` cannot be masked: {collector.id} needs it itself", remedy)
    if masked.is_field and name in settings.key:
        remedy = f"HASH `{name}` as a whole: rows are matched by the hash as well"
        raise Problem(span, f"no field of the key column `{name}` can be masked: rows are matched by all of it", remedy)
    if dropped and name in settings.key:
        remedy = "HASH it: rows are matched by the hash as well"
        raise Problem(span, f"the key column `{name}` cannot be dropped: rows are matched by it", remedy)
    if dropped and any(part.folded == name for part in clauses.partition_by):
        raise Problem(span, f"the partition column `{name}` cannot be dropped", "partition by another column")


def check_mask_keys(program: ResolvedProgram, problems: list[Diagnostic]) -> None:
    """Adds to `problems` where something is hashed and the warehouse names no key."""
    for statement in program.statements:
        hashed = _first_hash(statement) if isinstance(statement, Collect) else None
        if hashed is not None and isinstance(statement, Collect) and not mask_key(statement):
            warehouse = statement.warehouse
            name = warehouse.name.folded
            remedy = f"name the key's secret: CREATE WAREHOUSE {name} USING {warehouse.system.folded} WITH ({MASK_KEY} = 'mask')"
            problems.append(hashed.name.span.diagnostic(f"HASH needs a key, and `{name}` names none", remedy))


def mask_key(statement: Collect) -> str:
    """The reference of the secret that hashes the statement's columns; '' where it hashes none, or the warehouse names none."""
    if _first_hash(statement) is None:
        return ""
    return next((str(option.value) for option in statement.warehouse.options if option.key == MASK_KEY), "")


def _first_hash(statement: Collect) -> MaskedPath | None:
    return next((masked for table in statement.tables for masked in table.masks if masked.how is Mask.HASH), None)
