"""Makes the tables of receipts and of locks in a MySQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql

from shared_metadata.errors import DefinitionError
from slices.harness.mysql.statements import quote
from systems.mysql.failures import number_of
from systems.sql_target.receipts import NAME

if TYPE_CHECKING:
    from slices.harness.mysql.session import MysqlSession

LOCKS = "flows"  # a row of each flow, which its batches lock
_LOCKS = "flow char(64) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY"
_MISSING = (1044, 1142, 1049, 1227)


def ensure(session: MysqlSession, schema: str, table: str, user: str, place: str) -> None:
    """Creates database and tables where they are missing. Raises DefinitionError with the statement to run where it may not."""
    there = set(session.tables(schema, ""))
    if {NAME, LOCKS} <= there:
        return
    try:
        if not there:
            session.run(f"CREATE DATABASE IF NOT EXISTS {quote(schema)}")
        made = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        session.run(f"CREATE TABLE IF NOT EXISTS {table} ({session.dialect.receipts}) {made}")
        session.run(f"CREATE TABLE IF NOT EXISTS {quote(schema)}.{LOCKS} ({_LOCKS}) {made}")
    except pymysql.err.Error as error:
        if number_of(error) not in _MISSING:
            raise
        what = f"the user may not use or create the receipts table {schema}.{NAME}"
        rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP"
        remedy = f"CREATE DATABASE IF NOT EXISTS {quote(schema)}; GRANT {rights} ON {quote(schema)}.* TO {quote(user)}"
        raise DefinitionError(what, place=place, remedy=remedy) from None
