"""A query that runs in a warehouse: which datasets it reads, and its text with each of them named in full."""

from __future__ import annotations

from typing import Any

from language.forms.resolved import Edits, Input
from language.forms.syntax import Clauses, CreateConnection, CreateWarehouse
from language.resolve.names import Names
from language.sql.dialect import AsWarehouse
from language.sql.query import BATCH_BOUNDS, Places, Query, TableReference, WarehouseQuery
from language.text.diagnostics import Problem, did_you_mean

_IN_FULL = "name it in full, as in lake.ops.flights"


def read_datasets(query: Query, names: Names) -> tuple[CreateWarehouse | None, tuple[Input, ...], Edits]:
    """The warehouse that the query reads (None if it reads no table), its inputs, and the edits that fold their names.

    Raises Problem for a table outside of the warehouse, in two warehouses, or not named in full.
    """
    inputs: dict[str, Input] = {}
    warehouse: CreateWarehouse | None = None
    for reference in query.tables:
        found = _warehouse(reference, names, query.common_tables)
        if warehouse is not None and found is not warehouse:
            raise Problem(
                reference.span,
                f"one query cannot read two warehouses, `{warehouse.name.folded}` and `{found.name.folded}`",
                "bring the table into one of them first",
            )
        warehouse = found
        dataset = ".".join(reference.folded)
        inputs.setdefault(dataset, Input(dataset, reference.span))
    edits = [(span, _folded(span.text)) for reference in query.tables for span in reference.spans if span.text != _folded(span.text)]
    return warehouse, tuple(inputs.values()), tuple(edits)


def read_places(query: WarehouseQuery) -> Places:
    """Where the query says what a slice puts its own words for: datasets, and the bounds of a batch."""
    return (*((reference.span, ".".join(reference.folded)) for reference in query.tables), *query.bounds)


def expected_places(clauses: Clauses, engine: AsWarehouse[Any, Any]) -> Places:
    """Where expectations say a bound of a batch."""
    saying = (e.predicate for e in clauses.expectations if any(bound in e.predicate.text.lower() for bound in BATCH_BOUNDS))
    return tuple(place for predicate in saying for place in engine.predicate(predicate).bounds)


def _warehouse(reference: TableReference, names: Names, near: frozenset[str]) -> CreateWarehouse:
    if len(reference.parts) == 1:
        hint = (did_you_mean(reference.folded[0], near - {reference.folded[0]}) or names.meant(reference.folded)).strip()
        raise Problem(
            reference.span,
            f"`{reference.parts[0]}` is no table of the program",
            hint or _IN_FULL + _short(reference),
        )
    if len(reference.parts) < 3 and (meant := names.meant(reference.folded)) and not names.declares(reference.folded[0]):
        raise Problem(reference.span, f"`{reference.span.text}` is no table of the program", meant + _IN_FULL)
    endpoint = names.endpoint(reference.folded[0], reference.spans[0])
    if isinstance(endpoint, CreateConnection):
        raise Problem(
            reference.span,
            f"`{reference.span.text}` is outside: `{endpoint.name.folded}` is a connection",
            "collect it first with INSERT INTO a warehouse, and read it there",
        )
    if len(reference.parts) != 3:
        meant = names.meant(reference.folded) if len(reference.parts) < 3 else ""
        cause = f"a table in a warehouse has three names, `{reference.span.text}` has {len(reference.parts)}"
        raise Problem(reference.span, cause, meant + "write warehouse.schema.table, as in lake.ops.flights")
    return endpoint


def _short(reference: TableReference) -> str:
    return "; a file is collected first" if reference.span.text.startswith("'") else ""


def _folded(text: str) -> str:
    return text.lower()
