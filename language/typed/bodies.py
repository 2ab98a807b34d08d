"""Functions that a query calls, each held against its own tables: an engine may let it name what stands beside its call."""

from __future__ import annotations

from language.sql.dialect import Tables, as_warehouse
from language.sql.query import WarehouseQuery
from language.text.inlined import Inlined
from language.typed.mistakes import Mistakes


def check_bodies(query: WarehouseQuery, inputs: Tables, mistakes: Mistakes) -> None:
    """Adds what is wrong with a function's query by itself; of one that is given a query of WITH this is not told."""
    if not isinstance(query.span.source, Inlined):
        return
    engine = as_warehouse(query.dialect)
    for body in query.span.source.bodies():
        alone: WarehouseQuery = engine.read(body.span)
        names = {".".join(table.folded) for table in alone.tables}
        if names <= inputs.keys():
            mistakes.say(engine.type(alone, {name: inputs[name] for name in names}).problems, body.span)
