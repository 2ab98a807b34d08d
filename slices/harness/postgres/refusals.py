"""Turns PostgreSQL's errors into Atoll's: a row's fault, the server's for a while, or the table's; none holds a value.

By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from systems.postgres.failures import PASSING, is_of_policies, remedy_of, word
from systems.sql_target.table import TargetTable

MISFITS = {
    "22001": "a value is too long",
    "22003": "a value is out of range",
    "22007": "a value is not a date or time",
    "22008": "a date or time is out of range",
    "22015": "an interval is out of range",
    "22021": "a text holds a character that the database's encoding does not have, or U+0000",
    "22P02": "a value cannot be read as the column's type",
    "22P05": "a text holds a character that the database's encoding does not have",
    "23502": "a value is null",
    "23503": "a row breaks a foreign key",
    "23505": "a row breaks a unique constraint",
    "23514": "a row breaks a check constraint",
    "23P01": "a row breaks an exclusion constraint",
    "54000": "a value is too large for its index or page",
    "P0001": "a trigger refuses a row",
}
# Of an error's context: where COPY stands, behind which is the value, and statements, which end before another line of context.
_COPY = re.compile(r"^COPY \w+, line \d+(?:, column c(\d+))?", re.MULTILINE)
_STATEMENT = re.compile(
    r'^(?:SQL (?:statement|expression)|PL/pgSQL assignment) ".*"(?=\n(?:PL/pgSQL|SQL|COPY)|\Z)', re.MULTILINE | re.DOTALL
)
# Of the classes of a row's faults, what is none.
NO_ROWS = {"2200H": "a sequence that a default of {table} takes is at its end: ALTER SEQUENCE … MAXVALUE …, or make it a bigint's"}
REFUSED_REMEDY = "change the query or the table so that they fit, or set such rows aside with TOLERATE … BAD ROWS"
# Temporary refusals while a batch writes: it is tried again meanwhile.
PASSING_HERE = {
    **PASSING,
    "25006": "name the primary server in the secret, not a standby; see default_transaction_read_only",
    "42P07": "nothing: another worker is at it",
}
# Refusals that the table's owner, or the server's, resolves.
MENDED = {
    "0A": "see what the table's kind does not support",
    "21000": "see the table's triggers and the unique indexes of its key",
    "42P10": "give the key a unique index, or leave it without one",
    "44": "publish rows that the view's CHECK OPTION allows",
    "55000": "ALTER TABLE {table} REPLICA IDENTITY FULL where a publication has the table; else see the server's log",
    "XX": "see the server's log; an index may be damaged: REINDEX TABLE {table}",
}


@contextmanager
def translated(place: str, table: TargetTable | None, user: str, columns: Sequence[str] = ()) -> Iterator[None]:
    """Raises psycopg's errors as Atoll's; of what the server said only names of columns and constraints are kept."""
    try:
        yield
    except psycopg.Error as error:
        raise explained(error, place, table, user, columns) from None


def explained(error: psycopg.Error, place: str, table: TargetTable | None, user: str, columns: Sequence[str]) -> AtollError:
    state, where = error.sqlstate or "", f" of {table.schema}.{table.name}" if table else ""
    if remedy := remedy_of(PASSING_HERE, state) or (PASSING["08"] if not state else ""):
        return RetryLater(f"PostgreSQL broke off ({word(error.sqlstate)}) while writing{where}", place=place, remedy=remedy)
    if beside := _beside(error, table):
        remedy = f"mend {beside}, or {_function(error) or 'what'} that writes to it, a trigger{where}"
        return DefinitionError(f"{beside} refuses what a trigger writes ({word(error.sqlstate)} {state})", place=place, remedy=remedy)
    if referring := refers_to_what_goes(error, table):
        remedy = (
            f"delete what refers to them there, or leave these rows in the query's result: they are deleted in {table and table.name}"
        )
        return DefinitionError(f"rows{where} go to which {referring} still refers", place=place, remedy=remedy)
    if why := refusal(error, table, columns):
        return RowError(f"{why}{where}", place=place, remedy=REFUSED_REMEDY)
    if state == "42501":
        return _not_granted(error, place, table, user, where)
    if state == "3F000" and table:
        create = f"CREATE SCHEMA {identifier(table.schema)} AUTHORIZATION {identifier(user)}"
        return DefinitionError(f"the schema {table.schema} does not exist", place=place, remedy=create)
    if state == "42P01" and not _function(error):
        return RetryLater(f"a table went away while writing{where}", place=place)
    within = f" in {_function(error)}" if _function(error) else ""
    remedy = f"mend {_function(error)}, which a trigger or a default calls" if within else remedy_of({**MENDED, **NO_ROWS}, state)
    remedy = (remedy or "see the table's definition").replace("{table}", table.sql if table else "it")
    return DefinitionError(f"PostgreSQL refused to write ({word(error.sqlstate)} {state}{within}){where}", place=place, remedy=remedy)


def failing_default(error: psycopg.Error, table: TargetTable, column: str, place: str) -> DefinitionError:
    """The error where a column's default fails, whatever the row."""
    what = f"the default of {column} fails ({word(error.sqlstate)} {error.sqlstate}) of {table.schema}.{table.name}"
    mended = f"mend it, as where a sequence is beyond the column's type: ALTER TABLE {table.sql} ALTER COLUMN {identifier(column)} …"
    remedy = f"{mended}; or publish {column}"
    return DefinitionError(what, place=place, remedy=remedy)


def _not_granted(error: psycopg.Error, place: str, table: TargetTable | None, user: str, where: str) -> AtollError:
    if is_of_policies(error):
        return row_security(table, place, user)
    grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.sql} TO {identifier(user)}" if table else "grant it"
    if table and not table.exists:
        grant = f"GRANT CREATE ON SCHEMA {identifier(table.schema)} TO {identifier(user)}, or create the table yourself"
    if function := _function(error):
        return DefinitionError(f"the user may not do what {function} does", place=place, remedy=f"grant it to {identifier(user)}")
    return DefinitionError(f"the user may not write{where or ' here'}", place=place, remedy=grant)


def row_security(table: TargetTable | None, place: str, user: str) -> DefinitionError:
    """The error where policies would hide rows from the user, or refuse some: the table could not be compared, or written whole."""
    name, owned = (f"{table.schema}.{table.name}", table.sql) if table else ("a table", "it")
    remedy = f"ALTER ROLE {identifier(user)} BYPASSRLS, or make the user the owner of {owned} without FORCE ROW LEVEL SECURITY"
    return DefinitionError(f"row level security of {name} holds for the user who publishes", place=place, remedy=remedy)


def kept_out(table: TargetTable, rows: int, place: str, *, by_key: bool) -> DefinitionError:
    """The error where a trigger leaves a row out, which to PostgreSQL is no error. by_key: rows were looked for by it alone."""
    where, name = f"{table.schema}.{table.name}{' under their key' if by_key else ''}", ", ".join(table.before)
    why = "keeps them out or changes their key" if by_key else "keeps them out"
    remedy = "let it RAISE EXCEPTION for what it refuses, which TOLERATE … BAD ROWS sets aside, or leave such rows out of the query"
    if by_key:
        remedy += "; where it changes the key, do the same in the query, or give the key a unique index"
    return DefinitionError(
        f"{rows} rows are not in {where} after they were written: a trigger ({name}) {why}", place=place, remedy=remedy
    )


def missing_parent(error: psycopg.Error, table: TargetTable | None) -> str:
    """The foreign key by which a row that is written refers to one that is not there; '' for every other error."""
    return "" if error.sqlstate != "23503" or refers_to_what_goes(error, table) else error.diag.constraint_name or ""


def refers_to_what_goes(error: psycopg.Error, table: TargetTable | None) -> str:
    """The table whose foreign key keeps a row of ours from being deleted; '' for every other error."""
    referring = (error.diag.schema_name, error.diag.table_name)
    foreign = error.sqlstate in ("23503", "23001") and table and None not in referring and not _is_of(error, table)
    return f"{'.'.join(map(str, referring))} ({error.diag.constraint_name})" if foreign else ""


def _is_of(error: psycopg.Error, table: TargetTable) -> bool:
    """Whether an error that names a table is of this one, or of a partition or heir of it."""
    return (error.diag.schema_name or "", error.diag.table_name or "") in {(table.schema, table.name), *table.below}


def _beside(error: psycopg.Error, table: TargetTable | None) -> str:
    """Another table, to which a trigger writes and which refuses that; '' for other errors, and what the trigger itself raises."""
    if not table or not error.diag.table_name or (error.sqlstate or "")[:2] != "23" or _is_of(error, table) or not _calls(error):
        return ""
    return "" if _raises(error) else f"{error.diag.schema_name}.{error.diag.table_name}"


def _raises(error: psycopg.Error) -> bool:
    return any(how == "RAISE" for _, how in _calls(error))


def refusal(error: psycopg.Error, table: TargetTable | None, columns: Sequence[str] = ()) -> str:
    """The reason why the database refuses a row, in names of columns and constraints; '' if no row caused the error.

    A sequence that is used up, and what a trigger writes to a table beside this one, are no row's fault: none that is left out helps.
    """
    state, raises = error.sqlstate or "", _raises(error)
    if state in NO_ROWS or _beside(error, table):
        return ""
    if state not in MISFITS and state[:2] not in ("22", "23") and not raises:
        return ""
    column = error.diag.column_name or _column_of(error, columns)
    named = f" in column {column}" if column else ""
    named += f" ({error.diag.constraint_name})" if error.diag.constraint_name else ""
    if state == "23514" and not named:
        return "a row fits none of the partitions"
    raised = MISFITS["P0001"] if raises else f"a value does not fit ({word(error.sqlstate)})"
    return MISFITS.get(state, raised) + named


def _function(error: psycopg.Error) -> str:
    """'PL/pgSQL function public.guard() line 1 at …' ▸ 'public.guard'; '' for an error of none."""
    return next((name for name, _ in _calls(error)), "")


def _calls(error: psycopg.Error) -> list[tuple[str, str]]:
    """The functions of PL/pgSQL in which it happened, and at what: ('public.guard', 'RAISE'), the innermost first.

    The lines between them quote statements, and the last one a value, either of which may hold lines that look like these.
    """
    context = _STATEMENT.sub("", _COPY.split(error.diag.context or "", maxsplit=1)[0])
    return re.findall(r"^PL/pgSQL function ([\w.\"$]+)\(.*\) line \d+ at (.*)$", context, re.MULTILINE)


def _column_of(error: psycopg.Error, columns: Sequence[str]) -> str:
    """'COPY stage_x, line 3, column c1: "value"' ▸ the second of the columns; the value is left where it is."""
    found = _COPY.search(error.diag.context or "")
    return columns[int(found[1])] if found and found[1] and int(found[1]) < len(columns) else ""
