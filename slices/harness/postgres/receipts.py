"""Makes the table of receipts in a PostgreSQL database."""

from __future__ import annotations

import psycopg

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import DefinitionError
from slices.harness.postgres.database import Connection


def ensure(connection: Connection, schema: str, table: str, columns: str, user: str, place: str) -> None:
    """Creates schema and table where they are missing. Raises DefinitionError with the statement to run where it may not."""
    quoted, has_schema = identifier(schema), False
    try:
        has_schema = _is_there(connection, "to_regnamespace", quoted)
        if not has_schema:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted}")
        if not _is_there(connection, "to_regclass", table):
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        elif not _names_rejected(connection, table):  # made by an earlier version
            connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS rejected text NOT NULL DEFAULT '[]'")
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable, psycopg.errors.DuplicateSchema):
        return  # another worker made it at this moment
    except psycopg.errors.InsufficientPrivilege:
        remedy = f"CREATE SCHEMA {quoted} AUTHORIZATION {identifier(user)}"
        if has_schema:
            remedy = f"GRANT USAGE, CREATE ON SCHEMA {quoted} TO {identifier(user)}"
        what = f"the user may not use or create the receipts table {schema}.receipts"
        raise DefinitionError(what, place=place, remedy=remedy) from None


def _is_there(connection: Connection, function: str, name: str) -> bool:
    row = connection.execute(f"SELECT {function}(%s) IS NOT NULL", (name,)).fetchone()
    return bool(row and row[0])


def _names_rejected(connection: Connection, table: str) -> bool:
    columns = "SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'rejected'"
    return connection.execute(columns, (table,)).fetchone() is not None
