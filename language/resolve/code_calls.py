"""Calls of functions in code: which slice runs them, and the query of what each is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from language.forms.resolved import Call, Input
from language.forms.syntax import Clauses, CreateCoded, CreateWarehouse, DeclaredColumn
from language.resolve.arguments import declared_type
from language.resolve.clauses import check_meaning
from language.resolve.inlining import Called
from language.resolve.names import Names
from language.resolve.warehouse_query import read_datasets, read_places
from language.sql.dialect import as_warehouse
from language.sql.query import WarehouseQuery
from language.text.diagnostics import Gathering, Problem, Span
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.schema import SchemaColumn


def runs_code(called: Sequence[tuple[CreateCoded, Span]], warehouse: CreateWarehouse, clauses: Clauses, names: Names) -> Slice:
    """The slice that runs these functions in a warehouse, and computes the query that calls them. Raises Problem."""
    wanted, system = {function.language.folded for function, _ in called}, warehouse.system.folded
    function, span = called[0]
    able = [slice_ for slice_ in names.slices.values() if wanted <= set(slice_.functions)]
    found = next((slice_ for slice_ in able if slice_.works_in == system), None)
    if found is None:
        others = ", ".join(sorted({slice_.works_in for slice_ in able}))
        remedy = f"warehouses that do are of {others}" if others else "call them in statements of their own"
        cause = f"`{function.name.text}` is written in {function.language.text}, and a warehouse of {system} runs no such function"
        raise Problem(span, cause, remedy)
    if clauses.engine is not None:
        cause = f"the query calls `{function.name.text}`, which is written in {function.language.text}: {found.title} computes it"
        raise Problem(clauses.engine.span, cause, "leave USING out, or let another view read what this one makes")
    return found


def resolved_calls(called: Sequence[Called], names: Names, dialect: str) -> tuple[Call, ...]:
    """Each with its types and what it reads. Raises Problem."""
    with Gathering() as gathering:
        found = [gathering(_call, one, names, dialect) for one in called]
    return tuple(one for one in found if one is not None)


def _call(called: Called, names: Names, dialect: str) -> Call:
    function = called.function
    with Gathering() as gathering:
        takes, returns = (gathering(_columns, columns, dialect) for columns in (function.takes, function.returns))
        query: WarehouseQuery | None = gathering(as_warehouse(dialect).read, called.text.span)
        read = gathering(read_datasets, query, names) if query is not None else None
        gathering(check_meaning, query, Clauses())
    assert takes is not None and returns is not None and query is not None and read is not None  # else the gathering raised
    return Call(called.table, called.text.base, function, takes, returns, query, read[1], read[2], read_places(query))


def _columns(columns: Iterable[DeclaredColumn], dialect: str) -> tuple[SchemaColumn, ...]:
    with Gathering() as gathering:
        types = [gathering(declared_type, column.type, dialect) or "" for column in columns]
    return tuple(SchemaColumn(c.name.folded, type_, not c.required) for c, type_ in zip(columns, types, strict=True))


def with_inputs(inputs: Iterable[Input], calls: Sequence[Call]) -> tuple[Input, ...]:
    """What a query and its calls read, without the results of these."""
    made = {call.table for call in calls}
    every = (*inputs, *(input_ for call in calls for input_ in call.inputs))
    return tuple({one.dataset: one for one in reversed(every) if one.dataset not in made}.values())[::-1]
