"""The engines whose SQL users bring along, by the names under which sqlglot reads it."""

from __future__ import annotations

from sqlglot.errors import SqlglotError

TRIPPED = (SqlglotError, ValueError, TypeError, AttributeError, IndexError, KeyError, RecursionError)  # by sqlglot over odd text
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
