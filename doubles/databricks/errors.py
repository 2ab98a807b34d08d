"""What goes wrong, as Databricks says it: an API's error code, or a statement's condition in front of its words.

https://docs.databricks.com/aws/en/error-messages/error-classes
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
    """A statement that fails.  code: the API's, beside the condition that its words begin with."""

    def __init__(self, condition: str, said: str, state: str = "XX000", code: str = "BAD_REQUEST") -> None:
        super().__init__(said)
        self.code = code
        self.message = f"[{condition}] {said} SQLSTATE: {state}" if condition else said


def unknown(what: str) -> StatementFailed:
    """Of what this double does not know to be the same in DuckDB, which it does not guess."""
    return StatementFailed("UNSUPPORTED_FEATURE", f"{what} is not known to this double of Databricks.", "0A000")


def syntax(near: str) -> StatementFailed:
    return StatementFailed("PARSE_SYNTAX_ERROR", f"Syntax error at or near '{near}'.", "42601")


def missing(name: str) -> StatementFailed:
    said = f"The table or view `{name}` cannot be found. Verify the spelling and correctness of the schema and catalog."
    return StatementFailed("TABLE_OR_VIEW_NOT_FOUND", said, "42P01")


def conflict(table: str) -> StatementFailed:
    said = f"Transaction conflict detected. A concurrent UPDATE added data to table {table}."
    return StatementFailed("DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES", said, "2D521")


_NAMED = re.compile(r'(?:Table|View|Schema) with name "?([^"!]+?)"? does not exist|schema "([^"]+)"')
_COLUMN = re.compile(r'(?:column|Column)s? (?:with name )?"([^"]+)"|Values list "\w+" does not have a column named "([^"]+)"')
_FUNCTION = re.compile(r"Function with name (\S+) does not exist")


def failed(error: duckdb.Error) -> StatementFailed:
    """DuckDB's error as Databricks' of the same kind."""
    said = str(error)
    if isinstance(error, duckdb.InterruptException):
        return StatementFailed("", "Statement was canceled.", code="CANCELLED")
    if "Division by zero" in said:
        return StatementFailed("DIVIDE_BY_ZERO", "Division by zero. Use `try_divide` to tolerate divisor being 0.", "22012")
    if isinstance(error, duckdb.TransactionException) or "onflict" in said:
        return conflict("of another transaction")
    if function := _FUNCTION.search(said):
        return StatementFailed("UNRESOLVED_ROUTINE", f"Cannot resolve routine `{function[1].lower()}` on search path.", "42883")
    if isinstance(error, duckdb.CatalogException):
        if "already exists" in said:
            return StatementFailed("TABLE_OR_VIEW_ALREADY_EXISTS", f"Cannot create table or view `{_quoted(said)}`.", "42P07")
        named = _NAMED.search(said)
        return missing((named[1] or named[2]) if named else _quoted(said))
    if isinstance(error, duckdb.BinderException):
        if named := _COLUMN.search(said):
            name = named[1] or named[2]
            text = f"A column, variable, or function parameter with name `{name}` cannot be resolved."
            return StatementFailed("UNRESOLVED_COLUMN.WITH_SUGGESTION", text, "42703")
        return StatementFailed("DATATYPE_MISMATCH", f"Cannot resolve due to data type mismatch: {said[:200]}", "42K09")
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
        return StatementFailed("CAST_INVALID_INPUT", f"The value '{_quoted(said)}' cannot be cast because it is malformed.", "22018")
    if isinstance(error, duckdb.ConstraintException):
        return StatementFailed("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "NOT NULL constraint violated.", "23502")
    if isinstance(error, duckdb.ParserException):
        return syntax(_quoted(said))
    return StatementFailed("INTERNAL_ERROR", said[:200])


def _quoted(said: str) -> str:
    found = re.search(r"[\"']([^\"']*)[\"']", said)
    return found[1] if found else ""
