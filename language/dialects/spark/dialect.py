"""Spark's SQL as a dialect: a warehouse's, whose engine runs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from language.dialects.spark.binding import bind
from language.dialects.spark.functions import functions
from language.dialects.spark.predicate import Predicate, predicate
from language.dialects.spark.query import SparkQuery, read
from language.dialects.spark.spelling import spelled
from language.sql.dialect import AsWarehouse, Dialect, lower
from language.sql.query import BATCH_BOUNDS
from language.text.diagnostics import Diagnostic, did_you_mean


def _unknown_functions(query: SparkQuery) -> Iterator[Diagnostic]:
    known = functions().names
    for call in query.tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name not in known and name not in BATCH_BOUNDS:
            remedy = did_you_mean(name, known) + "call one that there is"
            yield query.place(call).diagnostic(f"Spark has no function `{name}`", remedy)


DIALECT = Dialect(
    name="spark",
    sqlglot="spark",
    fold=lower,
    spelled=spelled,
    kept=(SparkQuery,),
    warehouse=AsWarehouse(read, bind, _unknown_functions, predicate, Predicate.typed),
)
