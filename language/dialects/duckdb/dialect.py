"""DuckDB's SQL as a dialect: a warehouse's."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.duckdb.binding import bind_query, plan_ahead
from language.dialects.duckdb.constants import constant_problems
from language.dialects.duckdb.engine import engine
from language.dialects.duckdb.pinning import spelled
from language.dialects.duckdb.predicate import Predicate, parse_predicate
from language.dialects.duckdb.problems import unknown_functions
from language.dialects.duckdb.query import DuckDBQuery, parse_warehouse_query, read_ahead
from language.sql.dialect import AsWarehouse, Dialect, lower
from language.text.diagnostics import Diagnostic


def _mistakes(query: DuckDBQuery) -> Iterator[Diagnostic]:
    judge = engine()
    for found in (*unknown_functions(query.text, query.said, judge), *constant_problems(query.text, query.tree, judge)):
        yield query.problem(found).diagnostic


DIALECT = Dialect(
    name="duckdb",
    sqlglot="duckdb",
    fold=lower,
    spelled=spelled,
    kept=(DuckDBQuery,),
    warehouse=AsWarehouse(parse_warehouse_query, bind_query, _mistakes, parse_predicate, Predicate.typed, read_ahead, plan_ahead),
)
