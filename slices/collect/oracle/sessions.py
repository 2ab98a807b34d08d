"""Every session with Oracle: how it is opened, and its settings.

What a server, a user's account or the function's environment says of its own never decides over a value.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from shared_metadata.contract.secrets.database_address import CONNECT_SECONDS
from slices.collect.oracle import failures
from slices.collect.oracle.address import Address

if TYPE_CHECKING:
    from oracledb import Connection

# https://docs.oracle.com/en/database/oracle/oracle-database/23/nlspg/setting-up-globalization-support-environment.html
# The territory and the language come first: they set others.
SETTINGS = {
    "NLS_TERRITORY": "'AMERICA'",
    "NLS_LANGUAGE": "'AMERICAN'",
    "NLS_CALENDAR": "'GREGORIAN'",
    "NLS_SORT": "'BINARY'",
    "NLS_COMP": "'BINARY'",
    "NLS_NUMERIC_CHARACTERS": "'.,'",
    "NLS_DATE_FORMAT": "'SYYYY-MM-DD HH24:MI:SS'",
    "NLS_TIMESTAMP_FORMAT": "'SYYYY-MM-DD HH24:MI:SS.FF'",
    "NLS_TIMESTAMP_TZ_FORMAT": "'SYYYY-MM-DD HH24:MI:SS.FF TZR'",
    "NLS_NCHAR_CONV_EXCP": "TRUE",
    "TIME_ZONE": "'+00:00'",
    # Else a materialized view may answer for its table, stale where QUERY_REWRITE_INTEGRITY is STALE_TOLERATED.
    "QUERY_REWRITE_ENABLED": "FALSE",
}
SETTLING = (
    "ALTER SESSION SET " + " ".join(f"{name} = {value}" for name, value in SETTINGS.items()),
    # A table of ROW ARCHIVAL hides the rows that are archived in it: https://docs.oracle.com/en/database/oracle/oracle-database/19/vldbg/
    "ALTER SESSION SET ROW ARCHIVAL VISIBILITY = ALL",
)


def connect(address: Address, *, reference: str, place: str, seconds: float = CONNECT_SECONDS) -> Connection:
    """A settled session, whose answers are given up after so many seconds. Raises SecretError or RetryLater."""
    import oracledb

    try:
        session = oracledb.connect(
            user=address.username,
            password=address.password,
            host=address.host,
            port=address.port,
            service_name=address.dbname,
            tcp_connect_timeout=max(min(CONNECT_SECONDS, seconds), 1),
            program="atoll",
            **address.encryption(),
        )
        session.call_timeout = max(int(seconds * 1000), 1)
        with session.cursor() as cursor:
            for statement in SETTLING:
                cursor.execute(statement)
    except (oracledb.Error, ssl.SSLError, OSError) as error:
        raise failures.connection_error(error, reference, place) from None
    return session
