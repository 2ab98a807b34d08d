"""A database is lent to another test only as if it were new."""

from __future__ import annotations

import pytest

from slices.collect.postgres.tests.database import Database
from tests import databases
from tests.background import postgres_server

EMPTIED = ("CREATE TABLE t (a int)", "CREATE SCHEMA other; CREATE TABLE other.t (a int)", "GRANT CREATE ON SCHEMA public TO {user}")
LEFT = (
    "ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'",
    "ALTER ROLE {user} SET work_mem = '9MB'",
    "ALTER ROLE {user} BYPASSRLS",
    "ALTER ROLE {user} PASSWORD 'another'",
    "GRANT pg_read_all_data TO {user}",
    "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
    "REVOKE SELECT ON pg_class FROM PUBLIC",
    "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM {user}",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "SELECT lo_create(0)",
    "ALTER ROLE {user} RENAME TO {user}_2",
)


@pytest.mark.parametrize("statement", [*EMPTIED, *LEFT])
def test_only_a_database_that_is_as_it_was_is_lent_again(statement: str) -> None:
    dropped: list[str] = []
    with postgres_server() as (host, port):
        where = (host, port, f"for {statement}")
        make = lambda name: Database(host, port, name).create()  # noqa: E731
        with databases.lent(*where, make, dropped.append) as first:
            database = Database(host, port, first)
            database.run(statement.format(name=first, user=database.user))
        with databases.lent(*where, make, dropped.append) as second:
            tables = Database(host, port, second).run("SELECT 1 FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'")
            assert tables == []
    assert (first == second, first in dropped) == ((True, False) if statement in EMPTIED else (False, True))
