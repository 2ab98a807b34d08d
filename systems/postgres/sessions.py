"""Every session with PostgreSQL: how it is opened, and its settings.

What a server, a database or a role says of its own never decides over a value: as pg_dump does it, by statements after connecting. A
pooler would refuse them among the connection's parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from systems.postgres import failures
from systems.postgres.address import CONNECT_SECONDS, Address

if TYPE_CHECKING:
    from psycopg import Connection

# https://www.postgresql.org/docs/current/runtime-config-client.html; of those that a server does not know none is set
SETTINGS: Mapping[str, str] = {
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",  # of a database in another encoding; where one checks none, the server does so now
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "xmloption": "content",
    "quote_all_identifiers": "off",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "gin_fuzzy_search_limit": "0",  # otherwise an index gives some of the rows, by chance
    "row_security": "off",  # a policy that hides rows is an error then, and not a table with fewer rows
    "exit_on_error": "off",  # a row that is refused would end the session
    "synchronous_commit": "on",  # what a receipt says was published outlives the server's crash
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}


def connect(address: Address, *, reference: str, place: str, seconds: float = CONNECT_SECONDS) -> Connection[tuple[Any, ...]]:
    """A session that is not settled yet, in which each statement is a transaction. Raises SecretError or RetryLater.

    reference: of the secret.  seconds: for making the connection; libpq takes two for the least.
    """
    import psycopg

    try:
        return psycopg.connect(
            address.conninfo(password=True),
            connect_timeout=max(int(min(CONNECT_SECONDS, seconds)), 2),
            autocommit=True,
            prepare_threshold=None,  # connection poolers in transaction mode know no prepared statements
        )
    except psycopg.OperationalError as error:
        raise failures.connection_error(failures.scrub(str(error), address.password), reference, place) from None


def settling(own: Mapping[str, str] | None = None, *, schema: str = "public", local: bool = False) -> str:
    """The statements that settle a session; a setting that the server does not know is left out.

    own: settings of this session beside the others, or instead of them.  schema: where names without one are looked for, in the case
    that is written or in lower case, before `public`, where extensions keep their types and operators.  local: for the transaction at
    work only.
    """
    wanted = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in {**SETTINGS, **(own or {})}.items())
    path = ", ".join(dict.fromkeys(identifier(name) for name in (schema, schema.lower(), "public", "pg_temp")))
    # The path first: until then an operator could be anybody's.
    return (
        f"SELECT pg_catalog.set_config('search_path', {literal(path)}, {str(local).lower()}); "
        f"SELECT pg_catalog.set_config(known.name, wanted.value, {str(local).lower()}) "
        f"FROM (VALUES {wanted}) AS wanted (name, value) JOIN pg_catalog.pg_settings AS known "
        "ON pg_catalog.lower(known.name) = pg_catalog.lower(wanted.name)"
    )
