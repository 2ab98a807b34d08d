"""What goes wrong, as Snowflake says it: a code, a SQLSTATE and a message.

https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses
"""

from __future__ import annotations

import re

import duckdb


class Refused(Exception):
    """A call that is answered with an error and starts nothing."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class StatementFailed(Exception):
    """A statement that fails."""

    def __init__(self, code: str, state: str, message: str) -> None:
        super().__init__(message)
        self.code, self.state, self.message = code, state, message


def unknown(what: str) -> StatementFailed:
    """Of what this double does not know to be the same in DuckDB, which it does not guess."""
    return StatementFailed("000002", "0A000", f"Unsupported feature '{what}' (not known to this double of Snowflake)")


def syntax(near: str) -> StatementFailed:
    return StatementFailed("001003", "42000", f"SQL compilation error:\nsyntax error line 1 at position 0 unexpected '{near}'.")


def missing(kind: str, name: str) -> StatementFailed:
    return StatementFailed("002003", "42S02", f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.")


def cancelled() -> StatementFailed:
    return StatementFailed("000604", "57014", "SQL execution canceled")


_NAMED = re.compile(r'(?:Table|View|Schema) with name "?([^"!]+?)"? does not exist|schema "([^"]+)"')
_COLUMN = re.compile(r'(?:column|Column)s? (?:with name )?"([^"]+)"|Values list "\w+" does not have a column named "([^"]+)"')
_FUNCTION = re.compile(r"Function with name (\S+) does not exist")


def failed(error: duckdb.Error) -> StatementFailed:
    """DuckDB's error as Snowflake's of the same kind."""
    said = str(error)
    if isinstance(error, duckdb.InterruptException):
        return cancelled()
    if "Division by zero" in said:
        return StatementFailed("100051", "22012", "Division by zero")
    if isinstance(error, duckdb.TransactionException):
        return StatementFailed("000625", "57014", "a transaction has locked the table, not yet released.")
    if function := _FUNCTION.search(said):
        return StatementFailed("002140", "42601", f"SQL compilation error:\nUnknown function {function[1].upper()}")
    if isinstance(error, duckdb.CatalogException):
        if "already exists" in said:
            return StatementFailed("002002", "42710", f"SQL compilation error:\nObject '{_quoted(said)}' already exists.")
        named = _NAMED.search(said)
        return missing("Object", (named[1] or named[2]) if named else _quoted(said))
    if isinstance(error, duckdb.BinderException):
        named = _COLUMN.search(said)
        if named:
            name = named[1] or named[2]
            return StatementFailed("000904", "42000", f"SQL compilation error:\ninvalid identifier '{name}'")
        return StatementFailed("001044", "42P13", f"SQL compilation error:\nInvalid argument types: {said[:200]}")
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
        return StatementFailed("100038", "22018", f"Numeric value '{_quoted(said)}' is not recognized")
    if isinstance(error, duckdb.ConstraintException):
        return StatementFailed("100072", "22000", "NULL result in a non-nullable column")
    if isinstance(error, duckdb.ParserException):
        return syntax(_quoted(said))
    return StatementFailed("300002", "XX000", f"Processing aborted by error 300002; {said[:200]}")


def _quoted(said: str) -> str:
    found = re.search(r"[\"']([^\"']*)[\"']", said)
    return found[1] if found else ""
