"""Every session with MySQL or MariaDB: how it is opened, and its settings.

What a server or a user's account says of its own never decides over a value. A setting that the server does not know is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.secrets.database_address import CONNECT_SECONDS
from shared_metadata.errors import DefinitionError
from systems.mysql import failures
from systems.mysql.address import Address

if TYPE_CHECKING:
    from pymysql import Connection

# https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html, https://mariadb.com/kb/en/server-system-variables/
SETTINGS: Mapping[str, str | int] = {
    # A backslash is a character; what does not fit is refused, and no engine stands in for another.
    "sql_mode": "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_BACKSLASH_ESCAPES,"
    "NO_ENGINE_SUBSTITUTION",
    "old_mode": "",
    "time_zone": "+00:00",
    "collation_connection": "utf8mb4_general_ci",  # of texts in a statement; a column's own decides where one is compared
    "lc_time_names": "en_US",
    "lc_messages": "en_US",
    "div_precision_increment": 4,
    "default_week_format": 0,
    "default_regex_flags": "",
    "group_concat_max_len": 2**30,  # a view's longer text would be cut without a word
    "max_recursive_iterations": 2**32 - 1,  # beyond, MariaDB gives what it has by then
    "cte_max_recursion_depth": 2**32 - 1,
    "sql_select_limit": 2**64 - 1,
    "sql_big_selects": 1,
    "sql_safe_updates": 0,
    "sql_auto_is_null": 0,
    "default_storage_engine": "InnoDB",
    "show_gipk_in_create_table_and_information_schema": 1,  # a primary key that the server has made can be named
    "information_schema_stats_expiry": 0,  # sizes are those of now, not of yesterday
    "sql_notes": 1,  # by which it is told that a trigger met an error
    "max_error_count": 64,
    "foreign_key_checks": 1,
    "unique_checks": 1,
    "check_constraint_checks": 1,
    "completion_type": "NO_CHAIN",
    "max_execution_time": 0,
    "max_statement_time": 0,
    "lock_wait_timeout": 60,  # for the lock on a table's definition
    "innodb_lock_wait_timeout": 50,
    "wait_timeout": 28_800,
    "net_read_timeout": 900,
    "net_write_timeout": 900,  # a reader may be busy with what it has read
}
_ISOLATED = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"


def connect(address: Address, *, reference: str, place: str, seconds: float = CONNECT_SECONDS) -> Connection[Any]:
    """A settled session in which each statement is a transaction, and whose answers are given up after so many seconds.

    reference: of the secret. Raises SecretError, RetryLater or DefinitionError.
    """
    import pymysql

    try:
        session = pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.username,
            password=address.password.encode(),  # PyMySQL would take a text for Latin-1
            database=address.dbname,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=max(min(CONNECT_SECONDS, seconds), 1),
            read_timeout=seconds,
            write_timeout=seconds,
            program_name="atoll",
            **address.encryption(),
        )
    except (pymysql.err.Error, OSError, RuntimeError) as error:
        raise failures.connection_error(error, reference, place) from None
    try:
        settle(session)
        _check_moment(session, place)
    except pymysql.err.Error as error:
        session.close()
        raise failures.connection_error(error, reference, place) from None
    return session


def settle(session: Connection[Any], own: Mapping[str, str | int] | None = None) -> None:
    """Gives a session its settings.  own: of this session beside the others, or instead of them."""
    wanted = {**SETTINGS, **(own or {})}
    with session.cursor() as cursor:
        cursor.execute(f"SET SESSION sql_select_limit = {SETTINGS['sql_select_limit']}")  # of what follows, too
        cursor.execute("SHOW VARIABLES WHERE Variable_name IN %s", (list(wanted),))
        known = [name for name, _ in cursor.fetchall() if name in wanted]
        cursor.execute("SET " + ", ".join(f"SESSION {name} = %s" for name in known), [wanted[name] for name in known])
        cursor.execute(_ISOLATED)


def _check_moment(session: Connection[Any], place: str) -> None:
    """Raises DefinitionError where the server shows tables as they were: no session can leave its setting."""
    with session.cursor() as cursor:
        cursor.execute("SHOW VARIABLES WHERE Variable_name = 'system_versioning_asof' AND Value <> 'DEFAULT'")
        if cursor.fetchone():
            session.close()
            what = "the server shows tables with system versioning as of a former moment, by its system_versioning_asof"
            remedy = "SET GLOBAL system_versioning_asof = DEFAULT at the server, or a replica that has it"
            raise DefinitionError(what, place=place, remedy=remedy)


def time_limit(seconds: float) -> dict[str, str | int]:
    """The settings that end a statement of a session after so long: MariaDB counts seconds, MySQL milliseconds."""
    whole = max(int(seconds), 1)
    return {"max_statement_time": whole, "max_execution_time": whole * 1000}


def version_of(session: Connection[Any]) -> str:
    """The server's version, as it says it when a session begins."""
    return str(session.get_server_info())  # type: ignore[no-untyped-call]


def number_of(session: Connection[Any]) -> int:
    """The number by which the server knows a session."""
    return int(session.thread_id())  # type: ignore[no-untyped-call]
