"""What a function of another engine's SQL is in DuckDB's: whoever comes from there writes it first."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from language.dialects.duckdb.engine import Engine, EngineError

MOST = 100  # characters of a remedy
ENGINES = {
    "snowflake": "Snowflake",
    "bigquery": "BigQuery",
    "redshift": "Redshift",
    "databricks": "Databricks",
    "presto": "Athena",
    "postgres": "PostgreSQL",
    "tsql": "SQL Server",
    "oracle": "Oracle",
    "mysql": "MySQL",
}


def in_duckdb(call: str, engine: Engine) -> str | None:
    """The remedy for a call that DuckDB does not have and another engine has; None where sqlglot knows no translation of it."""
    for dialect, name in ENGINES.items():
        try:
            tree = sqlglot.parse_one(f"SELECT {call}", read=dialect)
            found = tree.transform(_batch_bound).sql(dialect="duckdb", normalize_functions=False)
            written = found.removeprefix("SELECT ")
            if written.lower() != call.lower() and len(written) <= MOST and engine.has_functions(found):
                return f"write {written}, which is {name}'s {call.partition('(')[0].strip()}"
        except (SqlglotError, EngineError, ValueError):
            continue
    return None


def _batch_bound(node: exp.Expr) -> exp.Expr:
    """Now, as a batch has it."""
    if isinstance(node, exp.CurrentTimestamp | exp.CurrentDatetime):
        return exp.Anonymous(this="batch_end")
    return exp.cast(exp.Anonymous(this="batch_end"), "DATE") if isinstance(node, exp.CurrentDate) else node
