"""Oracle's errors, and which of them stands for one of PostgreSQL's."""

from __future__ import annotations

import psycopg

NO_DATA = 1403
# Of states that PostgreSQL tells. A table that may not be read is for Oracle none that is there.
_STATES = {
    "42P01": (942, "table or view does not exist"),
    "42501": (942, "table or view does not exist"),
    "3F000": (942, "table or view does not exist"),
    "42703": (904, "invalid identifier"),
    "42883": (904, "invalid identifier"),
    "42601": (900, "invalid SQL statement"),
    "42804": (932, "inconsistent datatypes"),
    "42P07": (955, "name is already used by an existing object"),
    "23505": (1, "unique constraint violated"),
    "23502": (1400, "cannot insert NULL"),
    "22003": (1438, "value larger than specified precision allowed for this column"),
    "22P02": (1722, "invalid number"),
    "22007": (1858, "a non-numeric character was found where a numeric was expected"),
    "22008": (1841, "(full) year must be between -4713 and +9999, and not be 0"),
    "25006": (1456, "may not perform insert, delete, update operation inside a READ ONLY transaction"),
    "40001": (8177, "can't serialize access for this transaction"),
    "40P01": (60, "deadlock detected while waiting for resource"),
    "57014": (1013, "user requested cancel of current operation"),
    "57P01": (28, "your session has been killed"),
}


class OracleError(Exception):
    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number

    @property
    def message(self) -> bytes:
        return f"ORA-{self.number:05d}: {self}\n".encode()


def of_postgres(error: psycopg.Error) -> OracleError:
    """One that nothing stands for is 20000: 600 would end the session."""
    number, text = _STATES.get(error.sqlstate or "", (20000, str(error).splitlines()[0]))
    if number == 904 and (name := _quoted(str(error))):
        return OracleError(number, f'"{name}": {text}')
    return OracleError(number, text)


def _quoted(text: str) -> str:
    """The name in `column "x" does not exist`."""
    found = text.split('"')
    return found[1] if len(found) > 2 else ""
