"""Databases of a server that one test has after another: to make one and to drop it takes longer than most tests do."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

# What a test may leave behind where schemas are emptied: whoever changed any of it had the database last. `%(name)s` is its name,
# with which the names of its roles begin.
_OUTSIDE_SCHEMAS = (
    "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)'",
    "SELECT r.* FROM pg_authid r WHERE starts_with(rolname, %(name)s)",
    "SELECT roleid, member FROM pg_auth_members JOIN pg_authid r ON r.oid IN (roleid, member) WHERE starts_with(rolname, %(name)s)",
    (
        "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting LEFT JOIN pg_authid r ON r.oid = setrole"
        " LEFT JOIN pg_database d ON d.oid = setdatabase WHERE starts_with(coalesce(rolname, datname, %(name)s), %(name)s)"
    ),
    "SELECT datacl::text, datdba, datconnlimit, datallowconn, encoding FROM pg_database WHERE datname = %(name)s",
    "SELECT defaclrole, defaclnamespace, defaclobjtype, defaclacl::text FROM pg_default_acl",
    "SELECT oid, relacl::text FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace",
    "SELECT oid, proacl::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace",
    "SELECT oid FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace",
    "SELECT extname FROM pg_extension UNION ALL SELECT evtname FROM pg_event_trigger UNION ALL SELECT pubname FROM pg_publication",
    "SELECT srvname FROM pg_foreign_server UNION ALL SELECT fdwname FROM pg_foreign_data_wrapper",
    "SELECT lanname FROM pg_language UNION ALL SELECT amname FROM pg_am UNION ALL SELECT subname FROM pg_subscription",
    "SELECT oid FROM pg_cast UNION ALL SELECT oid FROM pg_largeobject_metadata",
    "SELECT slot_name FROM pg_replication_slots WHERE database = %(name)s",
    "SELECT gid FROM pg_prepared_xacts WHERE database = %(name)s",
)
State = list[list[tuple[Any, ...]]]
_free: dict[tuple[str, int, str], list[tuple[str, State]]] = defaultdict(list)


@contextmanager
def lent(host: str, port: int, kind: str, make: Callable[[str], None], drop: Callable[[str], None]) -> Iterator[str]:
    """The name of a database as `make` makes it: one that an earlier test of this process left so, or a new one.

    kind: what `make` makes.  drop: what is done with one that another test cannot have.
    """
    free = _free[host, port, kind]
    name, state = free.pop() if free else _made(host, port, make)
    yield name
    try:
        left = _emptied(host, port, name)
    except psycopg.Error:
        left = []
    if left == state:
        free.append((name, state))
    else:
        drop(name)


def _made(host: str, port: int, make: Callable[[str], None]) -> tuple[str, State]:
    name = f"t{uuid.uuid4().hex[:12]}"
    make(name)
    return name, _emptied(host, port, name)


def _emptied(host: str, port: int, name: str) -> State:
    """What is left, but for tables and rows of statistics, when nobody is there and every schema is as a new database has it."""
    with psycopg.connect(host=host, port=port, dbname=name, user="postgres", autocommit=True) as session:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        session.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")  # type: ignore[arg-type]
        schemas = session.execute(
            "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        )
        session.execute(f"DROP SCHEMA {', '.join(name for (name,) in schemas)} CASCADE")  # type: ignore[arg-type]
        session.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC")
        return [sorted(session.execute(query, {"name": name}).fetchall(), key=str) for query in _OUTSIDE_SCHEMAS]
