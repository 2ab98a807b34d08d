"""Turns MySQL's errors into Atoll's, by their numbers: a row's fault, the server's for a while, or the table's; none holds a value.

https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from slices.harness.mysql.statements import quote
from systems.mysql import failures
from systems.sql_target.table import TargetTable

TOO_LARGE = 1153  # for a packet
DOUBLES = frozenset({1062, 1169, 1586})
MISFITS: Mapping[int, str] = {
    1048: "a value is null",
    **dict.fromkeys(DOUBLES, "a row breaks a unique constraint"),
    1118: "a row is too large for its page",
    TOO_LARGE: "a row is larger than a packet (max_allowed_packet)",
    **dict.fromkeys((1216, 1452), "a row breaks a foreign key"),
    **dict.fromkeys((1264, 1441, 1690), "a value is out of range"),
    1265: "a value is none of the column's, or not readable as one",
    **dict.fromkeys((1292, 1411, 1525), "a value cannot be read as the column's type"),
    **dict.fromkeys((1366, 1367), "a value cannot be read as the column's type"),
    1406: "a value is too long",
    **dict.fromkeys((1526, 1748), "a row fits none of the partitions"),
    1644: "a trigger refuses a row",
    **dict.fromkeys((3140, 3141, 3143, 3144, 3146, 3156, 3157, 3158), "a text is no JSON"),
    **dict.fromkeys((3819, 4025), "a row breaks a check constraint"),
}
NO_CHARACTER = "a text holds a character that the column's character set does not have"
REFUSED_REMEDY = "change the query or the table so that they fit, or set such rows aside with TOLERATE … BAD ROWS"
# Of the server's own words, whose last ones are never a value's: it quotes that before.
_STAGED = re.compile(r"[`'.]c(\d+)[`'](?: at row \d+)?\.?\Z")
_COLUMN = re.compile(r"\AColumn '(.*)' cannot be null\Z", re.DOTALL)
_KEY = re.compile(r".* for key '(.*)'\Z", re.DOTALL)
_CHECK = re.compile(r"\A(?:CONSTRAINT `(.*)` failed for `.*|Check constraint '(.*)' is violated\.)\Z", re.DOTALL)
_FOREIGN = re.compile(r"\(`(.*?)`\.`(.*?)`, CONSTRAINT `(.*?)` FOREIGN KEY ", re.DOTALL)
_GRANTS = frozenset({1044, 1142, 1143, 1227, 1370})
# Refusals that the table's owner, or the server's, resolves.
MENDED: Mapping[int, str] = {
    1049: "CREATE DATABASE, or correct the table's name in the program",
    **dict.fromkeys((1071, 1170), "make the table yourself, with a key that an index of it holds"),
    **dict.fromkeys((167, 1467), "give the table's AUTO_INCREMENT column a larger type: it is used up"),
    1665: "SET GLOBAL binlog_format = 'ROW' at the server",
    **dict.fromkeys((1054, 1305, 1356, 1449), "see the table's triggers and what they call"),
}


def explained(error: Exception, place: str, table: TargetTable | None, user: str, columns: Sequence[str]) -> AtollError:
    number, where = failures.number_of(error), f" of {table.schema}.{table.name}" if table else ""
    said = f"{number} {failures.word(number)}" if number else type(error).__name__
    if remedy := failures.PASSING.get(number, "" if number else "nothing if it passes; else see the server's load and the network"):
        return RetryLater(f"the database broke off ({said}) while writing{where}", place=place, remedy=remedy)
    if referring := refers_to_what_goes(error, table):
        remedy = (
            f"delete what refers to them there, or leave these rows in the query's result: they are deleted in {table and table.name}"
        )
        return DefinitionError(f"rows{where} go to which {referring} still refers", place=place, remedy=remedy)
    if why := refusal(error, table, columns):
        return RowError(f"{why}{where}", place=place, remedy=REFUSED_REMEDY)
    if number in _GRANTS:
        return _not_granted(place, table, user, where)
    if number == 1146:
        return RetryLater(f"a table went away while writing{where}", place=place)
    remedy = MENDED.get(number, "see the table's definition")
    return DefinitionError(f"the database refused to write ({said}){where}", place=place, remedy=remedy)


def _not_granted(place: str, table: TargetTable | None, user: str, where: str) -> DefinitionError:
    rights = "SELECT, INSERT, UPDATE, DELETE" if table and table.exists else "SELECT, INSERT, UPDATE, DELETE, CREATE"
    on = f"{quote(table.schema)}.{quote(table.name)}" if table else "the table"
    return DefinitionError(
        f"the user may not write{where or ' here'}", place=place, remedy=f"GRANT {rights} ON {on} TO {quote(user)}"
    )


def refers_to_what_goes(error: Exception, table: TargetTable | None) -> str:
    """The table whose foreign key keeps a row of ours from being deleted; '' for every other error."""
    if failures.number_of(error) not in (1217, 1451):
        return ""
    found = _FOREIGN.search(_text(error))
    return f"{found[1]}.{found[2]} ({found[3]})" if found else "another table"


def missing_parent(error: Exception) -> str:
    """The foreign key by which a row that is written refers to one that is not there; '' for every other error."""
    found = _FOREIGN.search(_text(error)) if failures.number_of(error) == 1452 else None
    return found[3] if found else ""


def refusal(error: Exception, table: TargetTable | None, columns: Sequence[str] = ()) -> str:
    """The reason why the database refuses a row, in names of columns and constraints; '' if no row caused the error."""
    number, said = failures.number_of(error), _text(error)
    if number not in MISFITS or (number in (1216, 1452) and _is_beside(said, table)):
        return ""
    if staged := _STAGED.search(said):
        column = columns[int(staged[1])] if int(staged[1]) < len(columns) else ""
    else:
        found = _COLUMN.search(said) if number == 1048 else None
        column = found[1] if found and table and table.column(found[1]) else ""
    why = NO_CHARACTER if number == 1366 and said.startswith("Incorrect string value") else MISFITS[number]
    return why + (f" in column {column}" if column else "") + _constraint(number, said, table)


def _is_beside(said: str, table: TargetTable | None) -> bool:
    """Whether the foreign key is of another table, to which a trigger writes: no row that is left out helps there."""
    found = _FOREIGN.search(said)
    return bool(found and table and (found[1].lower(), found[2].lower()) != (table.schema.lower(), table.name.lower()))


def _constraint(number: int, said: str, table: TargetTable | None) -> str:
    """' (its name)': of an index only where the table has one of that name, since a value stands before it."""
    if number in DOUBLES:
        found = _KEY.search(said)
        name = found[1].removeprefix(f"{table.name}.") if found and table else ""
        return f" ({name})" if table and name in table.names else ""
    if number in (3819, 4025):
        checked = _CHECK.search(said)
        return f" ({checked[1] or checked[2]})" if checked else ""
    foreign = _FOREIGN.search(said) if number in (1216, 1452) else None
    return f" ({foreign[3]})" if foreign else ""


def _text(error: Exception) -> str:
    return str(error.args[1]) if len(error.args) > 1 else ""
