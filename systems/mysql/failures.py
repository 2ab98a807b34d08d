"""What MySQL's answers mean to every slice, by their numbers: what refuses a connection, what passes, what is a row's fault.

https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-codes/
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from shared_metadata.errors import AtollError, RetryLater, SecretError
from systems.mysql.error_names import listed

if TYPE_CHECKING:
    import pymysql

# What refuses the one who signs in ▸ what helps.
_REFUSED: Mapping[int, str] = {
    **dict.fromkeys((1044, 1142), "GRANT the secret's user what the slice's README lists"),
    **dict.fromkeys((1045, 1698), "correct username and password, or let the user in from where Atoll's functions run"),
    1049: "correct dbname",
    1130: "let the user in from where Atoll's functions run (CREATE USER 'atoll'@'%')",
    1129: "FLUSH HOSTS at the server (TRUNCATE performance_schema.host_cache), then see who failed so often to sign in",
    **dict.fromkeys((1820, 1862), "give the user a password that has not expired"),
    **dict.fromkeys((3118, 4151), "unlock the account (ALTER USER … ACCOUNT UNLOCK)"),
    **dict.fromkeys((1251, 2059), "give the user caching_sha2_password or mysql_native_password"),
    3159: "set sslmode to require in the secret: the server takes encrypted connections only",
    2026: "set sslmode or sslrootcert in the secret",
    2061: "set sslmode to require in the secret: the password would go over the network in the clear",
}
_LOAD = "nothing if it passes; else see the server's load"
# What passes, or what is ended at the server ▸ what helps where it does not pass.
PASSING: Mapping[int, str] = {
    **dict.fromkeys((1040, 1203, 1226), "end connections, or raise max_connections, or the user's limits, at the server"),
    **dict.fromkeys((1205, 1213, 1568, 3572), "nothing if it passes; else see who holds locks on the table (sys.innodb_lock_waits)"),
    **dict.fromkeys((3, 1021, 1026, 1114), "free disk space at the server, or let innodb_data_file_path grow"),
    **dict.fromkeys((5, 1037, 1038, 1041, 3170), "give the server more memory"),
    **dict.fromkeys(
        (1290, 1792, 1836), "nothing if the server changes its role; else let the secret name the one that is written to"
    ),
    **dict.fromkeys((1317, 1927, 1969, 3024), _LOAD),
    **dict.fromkeys((1053, 1080, 1152, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 3169, 4031), _LOAD),
    **dict.fromkeys((2002, 2003, 2005, 2006, 2013, 2014, 2027, 2055), "see that it runs and that the functions' subnets reach it"),
    **dict.fromkeys((1015, 1016, 1030, 1412, 1637), "nothing if it passes; else see the server's log"),
    **dict.fromkeys((1297, 3100, 3101), "nothing if it passes; else see the cluster's state"),
}
# What is wrong with one row's value, read or written.
OF_A_ROW = frozenset(
    {1048, 1062, 1216, 1217, 1242, 1263, 1264, 1265, 1292, 1364, 1365, 1366, 1367, 1406, 1411, 1416, 1427, 1441, 1451, 1452, 1525}
    | {1557, 1586, 1644, 1690, 1761, 1762, 1977, 3037, 3055, 3064, 3140, 3141, 3143, 3144, 3145, 3146, 3147, 3150, 3156, 3157, 3158}
    | {3616, 3617, 3731, 3732, 3819, 4025, 4038}
)
# What the server says of these names users, tables and columns, and nothing else.
_TOLD = frozenset({1044, 1049, 1054, 1142, 1143, 1146, 1227, 1305, 1356, 1370, 1449, 1882})
TOO_LONG = frozenset({1317, 1969, 3024})  # a statement that was ended by its time limit, or at the server


def number_of(error: BaseException) -> int:
    """The server's, or the client's, number of an error; 0 where it has none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


@cache
def _words() -> Mapping[int, str]:
    from pymysql.constants import CR, ER

    known = {number: name for names in (CR, ER) for name, number in vars(names).items() if isinstance(number, int)}
    return {**listed(), **known}


def word(number: int) -> str:
    """MySQL's own word for a number: 1213 ▸ 'LOCK_DEADLOCK'."""
    return _words().get(number, "an error")


def told(error: pymysql.err.Error) -> str:
    """The server's sentence where it can name nothing but what the catalog has; else its number and word."""
    number = number_of(error)
    if number in _TOLD and len(error.args) > 1:
        return str(error.args[1])
    return f"the database refuses it ({number} {word(number)})"


def connection_error(error: BaseException, reference: str, place: str) -> AtollError:
    """Why a connection could not be made: the secret is wrong, or the server is away. Names in the text decide nothing."""
    cause, number = getattr(error, "original_exception", error), number_of(error)
    secret = f"see the secret {reference!r}: "
    if isinstance(cause, ssl.SSLError) or number == 2026:
        why = re.sub(r"\s*\(_ssl\.c:\d+\)|\[[^\]]*\]\s*", "", str(cause)) if isinstance(cause, ssl.SSLCertVerificationError) else ""
        what = f"an encrypted connection was refused{': ' + why if why else ''}"
        return SecretError(what, place=place, remedy=f"{secret}set sslmode or sslrootcert")
    if isinstance(error, RuntimeError):  # PyMySQL's, of a password that it may not send in the clear
        return SecretError("the password needs an encrypted connection", place=place, remedy=f"{secret}set sslmode to require")
    if number in _REFUSED:
        return SecretError(
            f"the database refused the connection ({number} {word(number)})", place=place, remedy=f"{secret}{_REFUSED[number]}"
        )
    remedy = PASSING.get(number, "see that it runs and that the function's subnets and security group reach it")
    said = f" ({number} {word(number)})" if number and number != 2003 else ""
    return RetryLater(f"the database cannot be reached{said}", place=place, remedy=f"{remedy}; the batch is tried again")


def ended(number: int, place: str) -> RetryLater:
    """The error where the connection, or the server, has ended the statement. number: 0 where none was said."""
    remedy = PASSING.get(number, "the batch is tried again and goes on from where it was")
    what = f" ({number} {word(number)})" if number else ": the connection broke off"
    return RetryLater(f"the database ended the work{what}", place=place, remedy=remedy)
