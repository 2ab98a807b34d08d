"""Trino's SQL as a dialect: a warehouse's, whose engine runs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from language.dialects.trino.binding import bind
from language.dialects.trino.functions import functions
from language.dialects.trino.predicate import Predicate, predicate
from language.dialects.trino.query import TrinoQuery, read
from language.dialects.trino.spelling import spelled
from language.sql.dialect import AsWarehouse, Dialect, lower
from language.sql.query import BATCH_BOUNDS
from language.text.diagnostics import Diagnostic, did_you_mean


def _unknown_functions(query: TrinoQuery) -> Iterator[Diagnostic]:
    known = functions().names
    for call in query.tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name not in known and name not in BATCH_BOUNDS:
            remedy = did_you_mean(name, known) + "call one that there is"
            yield query.place(call).diagnostic(f"Trino has no function `{name}`", remedy)


DIALECT = Dialect(
    name="trino",
    sqlglot="trino",
    fold=lower,
    spelled=spelled,
    kept=(TrinoQuery,),
    warehouse=AsWarehouse(read, bind, _unknown_functions, predicate, Predicate.typed),
)
