"""Turns MySQL's errors into Atoll's, by their numbers: a row's fault, the server's for a while, or the table's; none holds a value.

https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pymysql

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from slices.harness.mysql import column_types
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
    **dict.fromkeys((3751, 3752, 3903, 3904, 3905, 3906, 3907, 3908), "a value does not fit an index over an expression"),
}
# What a value of a column's type can meet: it has met it in the staging table, whose columns have the same types.
OF_TYPES = frozenset({1264, 1265, 1292, 1366, 1367, 1406, 1411, 1441, 1525, 1690})
SIGNAL, STACK = 1644, 4094  # STACK: MariaDB's word of where, beside an error
DEFAULTS = "give the column another default, or fill it in the query"
TRIGGERS = "see the table's triggers, what they call and the tables to which they write"
NO_CHARACTER = "a text holds a character that the column's character set does not have"
REFUSED_REMEDY = "change the query or the table so that they fit, or set such rows aside with TOLERATE … BAD ROWS"
# Of the server's own words, whose last ones are never a value's: it quotes that before.
_STAGED = re.compile(r"[`'.]c(\d+)[`'](?: at row \d+)?\.?\Z")
_COLUMN = re.compile(r"\AColumn '(.*)' cannot be null\Z", re.DOTALL)
_KEY = re.compile(r".* for key '(.*)'\Z", re.DOTALL)
_CHECK = re.compile(r"\A(?:CONSTRAINT `(.*)` failed for `.*|Check constraint '(.*)' is violated\.)\Z", re.DOTALL)
_FOREIGN = re.compile(r"\(`(.*?)`\.`(.*?)`, CONSTRAINT `(.*?)` FOREIGN KEY ", re.DOTALL)
_NULL = re.compile(rf"\AIncorrect \w+ value: '{column_types.NULL}' for column ")
_NAMED = re.compile(r"[`'](?P<name>[^`']+)[`'] at row \d+\.?\Z")
_IN = re.compile(r"\AAt line \d+ in (.*)\Z", re.DOTALL)
_GRANTS = frozenset({1044, 1142, 1143, 1227, 1370})
# Refusals that the table's owner, or the server's, resolves.
MENDED: Mapping[int, str] = {
    1049: "CREATE DATABASE, or correct the table's name in the program",
    **dict.fromkeys((1173, 3098, 3750), "make the table yourself, with a PRIMARY KEY: the server takes none without"),
    **dict.fromkeys((1071, 1170), "make the table yourself, with a key that an index of it holds"),
    **dict.fromkeys((167, 1467), "give the table's AUTO_INCREMENT column a larger type: it is used up"),
    1665: "SET GLOBAL binlog_format = 'ROW' at the server",
    **dict.fromkeys((1054, 1305, 1356, 1449), TRIGGERS),
    **dict.fromkeys((1067, 1364, 1978), DEFAULTS),
}


class InTrigger(pymysql.err.DatabaseError):
    """An error that a trigger's own statement met. trigger: its name, or that of a routine which it calls."""

    def __init__(self, number: int, text: str, trigger: str) -> None:
        super().__init__(number, text)
        self.trigger = trigger


def trigger_of(warnings: Sequence[Sequence[Any]]) -> str:
    """Where a statement failed, of the answer of SHOW WARNINGS; '' for in no trigger, and at MySQL, which does not tell."""
    found = (_IN.match(str(said)) for _, number, said in warnings if number == STACK)
    return next((each[1] for each in found if each), "")


def explained(error: Exception, place: str, table: TargetTable | None, user: str, columns: Sequence[str]) -> AtollError:
    number, where = failures.number_of(error), f" of {table.schema}.{table.name}" if table else ""
    said = f"{number} {failures.word(number)}" if number else type(error).__name__
    if remedy := failures.PASSING.get(number, "" if number else "nothing if it passes; else see the server's load and the network"):
        return RetryLater(f"the database broke off ({said}) while writing{where}", place=place, remedy=remedy)
    if isinstance(error, InTrigger) and number != SIGNAL:
        return DefinitionError(f"the trigger {error.trigger}{where} met an error ({said})", place=place, remedy=TRIGGERS)
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
    remedy = MENDED.get(number, TRIGGERS if number in MISFITS else "see the table's definition")
    if number in OF_TYPES and table:
        column = _named(_NAMED, _text(error), table)
        said, remedy = f"a value of no query{f' in column {column}' * bool(column)}: {said}", f"{DEFAULTS}; or {TRIGGERS}"
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
    found = _FOREIGN.search(_text(error)) if failures.number_of(error) == 1452 and not isinstance(error, InTrigger) else None
    return found[3] if found else ""


def refusal(error: Exception, table: TargetTable | None, columns: Sequence[str] = ()) -> str:
    """The reason why the database refuses a row, in names of columns and constraints; '' if no row caused the error.

    columns: those of the staging table that is filled.
    """
    number, said = failures.number_of(error), _text(error)
    if number not in MISFITS or _is_no_row_s(error, number, said, table, columns):
        return ""
    if columns:
        staged = _STAGED.search(said)
        column = columns[int(staged[1])] if staged and int(staged[1]) < len(columns) else ""
    else:
        column = _named(_COLUMN if number == 1048 else _NAMED, said, table) if number == 1048 or number in OF_TYPES else ""
    why = NO_CHARACTER if number == 1366 and said.startswith("Incorrect string value") else MISFITS[number]
    why = MISFITS[1048] if columns and _NULL.match(said) else why
    return why + (f" in column {column}" if column else "") + _constraint(number, said, table)


def _is_no_row_s(error: Exception, number: int, said: str, table: TargetTable | None, columns: Sequence[str]) -> bool:
    """Whether no row that is left out helps: what a trigger does, but for its own refusal; what another table refuses, to which a
    trigger writes; a default that its column does not take. Values have met their columns' types in the staging table."""
    if isinstance(error, InTrigger):
        return number != SIGNAL
    if columns or table is None:
        return False
    if number in (1216, 1452):
        found = _FOREIGN.search(said)
        return bool(found and (found[1].lower(), found[2].lower()) != (table.schema.lower(), table.name.lower()))
    if number in (1526, 1748):
        return not table.partitioned
    if number in DOUBLES:
        return bool(_KEY.search(said)) and not _unique(said, table)
    if number == 1048:
        return bool(_COLUMN.search(said)) and not _named(_COLUMN, said, table)
    computed = {column.name for column in table.columns if column.generated}
    named = _named(_NAMED, said, table)
    return number in OF_TYPES and named not in computed and not (computed and not _NAMED.search(said))


def _named(pattern: re.Pattern[str], said: str, table: TargetTable | None) -> str:
    """The table's column that an error names; '' for none."""
    found = pattern.search(said)
    column = table.column(found[1]) if found and table else None
    return column.name if column else ""


def _unique(said: str, table: TargetTable | None) -> str:
    """The table's index that an error names: only where the table has one of that name, since a value stands before it."""
    found = _KEY.search(said)
    name = found[1] if found else ""
    if table and name.lower().startswith(f"{table.name.lower()}."):  # MySQL says of which table it is
        name = name[len(table.name) + 1 :]
    return name if table and name in table.names else ""


def _constraint(number: int, said: str, table: TargetTable | None) -> str:
    """' (its name)'."""
    if number in DOUBLES:
        name = _unique(said, table)
        return f" ({name})" if name else ""
    if number in (3819, 4025):
        checked = _CHECK.search(said)
        return f" ({checked[1] or checked[2]})" if checked else ""
    foreign = _FOREIGN.search(said) if number in (1216, 1452) else None
    return f" ({foreign[3]})" if foreign else ""


def _text(error: Exception) -> str:
    return str(error.args[1]) if len(error.args) > 1 else ""
