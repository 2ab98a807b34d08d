"""Turns reading errors of MySQL into Atoll's, by their numbers; neither rows nor secrets pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_metadata.errors import AtollError, DefinitionError, RowError
from systems.mysql.failures import OF_A_ROW, PASSING, ended, number_of, told, word

if TYPE_CHECKING:
    import pymysql

_DENIED = frozenset({1044, 1045, 1142, 1143, 1227, 1370})  # 1045: of a view whose definer has gone
# What the statement or the catalog is to blame for: the program's own text, or what was created at the source.
_OF_STATEMENT = frozenset({1046, 1049, 1051, 1052, 1054, 1060, 1064, 1111, 1146, 1210, 1235, 1305, 1356, 1449, 1630, 1882})


def statement_error(error: pymysql.err.Error, place: str) -> AtollError:
    """The meaning of a failed statement."""
    number = number_of(error)
    if number == 0 or number in PASSING:
        return ended(number, place)
    if number in OF_A_ROW:
        return unreadable(place, number)
    if number in _DENIED:
        return DefinitionError(told(error), place=place, remedy="GRANT SELECT on it to the secret's user")
    if number in _OF_STATEMENT:
        return DefinitionError(told(error), place=place, remedy="correct the statement in the program, or restore what it names")
    return DefinitionError(told(error), place=place, remedy="mend what is read at the source, or leave it out of the program")


def unreadable(place: str, number: int = 0) -> RowError:
    """The error for a row that is refused. number: MySQL's, 0 where DuckDB refuses it."""
    why = f"({number} {word(number)})" if number else "a value is none of its type"
    remedy = "correct the value at the source, or collect a view that reads the column as text: CAST(column AS CHAR)"
    return RowError(f"the rows cannot be read: {why}", place=place, remedy=remedy)
