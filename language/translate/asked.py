"""What an expression gives in a dialect: its own typing is asked, of a query over one table that has the expression's parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from language.sql.dialect import as_warehouse
from language.text.diagnostics import Problem, SourceText, Span
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName, parsed

TABLE = "lake.atoll.parts"


@cache
def gives(dialect: str, text: str, kinds: Sequence[str], *, over: bool = False) -> TypeName | None:
    """The type of an expression; None where the dialect refuses it.

    text: with _1, _2 … for columns of these types.  over: whether it is computed over a window.
    """
    sql = f"SELECT {text}{' OVER (ORDER BY _0)' if over else ''} AS x FROM {TABLE}"
    columns = (SchemaColumn("_0", "long"), *(SchemaColumn(f"_{number}", kind) for number, kind in enumerate(kinds, 1)))
    engine, span = as_warehouse(dialect), Span(SourceText("", sql), 0, len(sql))
    try:
        found = engine.type(engine.read(span), {TABLE: columns})
    except Problem:
        return None
    return parsed(found.columns[0].type) if not found.problems and found.columns and found.columns[0].type else None
