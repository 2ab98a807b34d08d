"""What Oracle's answers mean, by their numbers: what refuses a connection, what passes, what is a row's fault.

Neither rows nor secrets pass. https://docs.oracle.com/en/error-help/db/, and the driver's own:
https://python-oracledb.readthedocs.io/en/latest/user_guide/exception_handling.html
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError, SecretError

_LISTENER = "see that the listener knows the service (lsnrctl services), and correct dbname"
# What refuses the one who signs in ▸ what helps.
_REFUSED: Mapping[str, str] = {
    "ORA-01017": "correct username and password",
    "ORA-28000": "unlock the account (ALTER USER … ACCOUNT UNLOCK)",
    **dict.fromkeys(("ORA-28001", "ORA-28002"), "give the user a password that has not expired"),
    "ORA-01045": "GRANT CREATE SESSION to the user",
    **dict.fromkeys(("ORA-12514", "ORA-12505", "DPY-6001", "DPY-6003"), _LISTENER),
    "DPY-3001": "the server asks for native network encryption, which the driver has not: let the secret name its TCPS port",
    "DPY-3015": "give the user a password of the 11g or 12c verifier (ALTER USER … IDENTIFIED BY …)",
    "DPY-3010": "a server of version 12.1 or later is needed",
    "DPY-3012": "the database's national character set is not AL16UTF16, which the driver needs",
    "DPY-4027": "correct host, port and dbname",
}
_LOAD = "nothing if it passes; else see the server's load"
_UNDO = (
    "what the table was when the batch began has left the undo: raise UNDO_RETENTION (and RETENTION GUARANTEE), or give the table a "
    "CURSOR and MERGE ON its key, which reads it in parts; the batch begins anew"
)
# What passes, or what is ended at the server ▸ what helps where it does not pass.
PASSING: Mapping[str, str] = {
    **dict.fromkeys(("ORA-01555", "ORA-08180", "ORA-08181", "ORA-22924", "ORA-30052", "ORA-01466"), _UNDO),
    **dict.fromkeys(
        ("ORA-00018", "ORA-00020", "ORA-12516", "ORA-12518", "ORA-12519", "ORA-12520"), "end sessions, or raise PROCESSES"
    ),
    **dict.fromkeys(("ORA-02391", "ORA-02394", "ORA-02396", "ORA-02399"), "raise the limits of the user's profile"),
    **dict.fromkeys(("ORA-00028", "ORA-01012", "ORA-01013", "ORA-00040", "ORA-56735"), _LOAD),
    **dict.fromkeys(("ORA-01033", "ORA-01034", "ORA-01089", "ORA-01090", "ORA-12528", "ORA-16000"), "see that it is open"),
    **dict.fromkeys(("ORA-01652", "ORA-04030", "ORA-04031", "ORA-01114"), "give the server more memory or temporary space"),
    **dict.fromkeys(
        ("ORA-00054", "ORA-00060", "ORA-04021", "ORA-08103", "ORA-08177"), "nothing if it passes; else see who locks the table"
    ),
    **dict.fromkeys(("ORA-12801", "ORA-00600", "ORA-07445", "ORA-01578"), "nothing if it passes; else see the server's log"),
    **dict.fromkeys(("ORA-03113", "ORA-03114", "ORA-03135", "ORA-12541", "ORA-12543", "ORA-12170"), "see that it runs"),
    **dict.fromkeys(("DPY-4011", "DPY-1001", "DPY-4024", "DPY-6000", "DPY-6002", "DPY-6005"), "see that it runs and can be reached"),
}
# What the statement or the catalog is to blame for, and what Oracle says of it names tables and columns, and nothing else.
_OF_STATEMENT = frozenset(
    {"ORA-00904", "ORA-00942", "ORA-00918", "ORA-00932", "ORA-00936", "ORA-00933", "ORA-00907", "ORA-00920", "ORA-00923", "ORA-00997"}
    | {"ORA-01446", "ORA-01445", "ORA-04063", "ORA-00980", "ORA-01775", "ORA-02019"}
)
_DENIED = frozenset({"ORA-01031", "ORA-41900", "ORA-01720", "ORA-28113"})
# What is wrong with one row's value.
OF_A_ROW = frozenset(
    {"ORA-01722", "ORA-01426", "ORA-01438", "ORA-01455", "ORA-01476", "ORA-01489", "ORA-01830", "ORA-01839", "ORA-01840", "ORA-01841"}
    | {
        "ORA-01843",
        "ORA-01847",
        "ORA-01858",
        "ORA-01861",
        "ORA-06502",
        "ORA-12703",
        "ORA-29275",
        "ORA-19011",
        "ORA-40441",
        "ORA-40478",
    }
    | {"ORA-22835", "ORA-12713", "ORA-31061", "ORA-64451", "DPY-4004"}
)
TOO_LONG = frozenset({"DPY-4024", "ORA-00040", "ORA-01013", "ORA-56735"})  # a statement that was ended by a time limit
_NOT_CONNECTED = "DPY-6005"
_CODE = re.compile(r"(ORA|DPY)-\d{4,5}")
_NAMED = re.compile(r"(ORA-009(?:04|18|42)): ([^\n]*)")


def code_of(error: BaseException) -> str:
    """'ORA-00942': the server's, or the driver's, number of an error, or of why it could not connect; '' where it has none."""
    told: Any = error.args[0] if error.args else None
    code = str(getattr(told, "full_code", "") or "")
    if code == _NOT_CONNECTED and error.__cause__ is not None:
        return code_of(error.__cause__) or code
    return code if _CODE.fullmatch(code) else ""


def _told(error: BaseException, code: str) -> str:
    """The server's sentence where it can name nothing but what the catalog has; else its number."""
    found = _NAMED.match(str(error))
    return f"the database refuses it ({found[1]}: {found[2]})" if found else f"the database refuses it ({code or 'no number'})"


def statement_error(error: BaseException, place: str) -> AtollError:
    """The meaning of a failed statement."""
    code = code_of(error)
    if not code or code in PASSING or code in _REFUSED:
        return ended(code, place)
    if code in OF_A_ROW:
        return unreadable(place, code)
    if code in _DENIED:
        return DefinitionError(_told(error, code), place=place, remedy="GRANT SELECT on it to the secret's user")
    if code in _OF_STATEMENT:
        remedy = "correct the statement in the program, GRANT SELECT to the secret's user, or restore what it names"
        return DefinitionError(_told(error, code), place=place, remedy=remedy)
    return DefinitionError(_told(error, code), place=place, remedy="mend what is read at the source, or leave it out of the program")


def unreadable(place: str, code: str = "") -> RowError:
    """The error for a row that is refused. code: Oracle's, '' where a reader refuses it."""
    why = f"({code})" if code else "a value is none of its type"
    remedy = "correct the value at the source, or collect a view that reads the column as text: TO_CHAR(column)"
    return RowError(f"the rows cannot be read: {why}", place=place, remedy=remedy)


def connection_error(error: BaseException, reference: str, place: str) -> AtollError:
    """Why a connection could not be made: the secret is wrong, or the server is away. Names in the text decide nothing."""
    code, cause = code_of(error), error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__  # type: ignore[assignment]
    secret = f"see the secret {reference!r}: "
    if isinstance(cause, ssl.SSLError):
        why = re.sub(r"\s*\(_ssl\.c:\d+\)|\[[^\]]*\]\s*", "", str(cause)) if isinstance(cause, ssl.SSLCertVerificationError) else ""
        what = f"an encrypted connection was refused{': ' + why if why else ''}"
        return SecretError(what, place=place, remedy=f"{secret}set sslmode, port, sslrootcert or wallet")
    if code in _REFUSED:
        return SecretError(f"the database refused the connection ({code})", place=place, remedy=f"{secret}{_REFUSED[code]}")
    remedy = PASSING.get(code, "see that it runs and that the function's subnets and security group reach it")
    return RetryLater(
        f"the database cannot be reached{f' ({code})' if code else ''}", place=place, remedy=f"{remedy}; the batch is tried again"
    )


def ended(code: str, place: str) -> RetryLater:
    """The error where the connection, or the server, has ended the statement. code: '' where none was said."""
    remedy = PASSING.get(code, "the batch is tried again and goes on from where it was")
    return RetryLater(
        f"the database ended the work{f' ({code})' if code else ': the connection broke off'}", place=place, remedy=remedy
    )


def hidden(said: str, place: str) -> DefinitionError:
    """The error for a table of which policies hide rows from the secret's user."""
    remedy = "GRANT EXEMPT ACCESS POLICY to the secret's user, or leave it out of the program"
    return DefinitionError(f"row level security would hide rows: {said}", place=place, remedy=remedy)
