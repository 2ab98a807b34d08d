"""What DuckDB's errors mean: by their class, and by its own words at a text's beginning; what it quotes may be anybody's data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared_metadata.errors import RetryLater, WaitForAws, unquoted

if TYPE_CHECKING:
    import duckdb

# httpfs raises an IOException for what it could not even ask; a colon would part DuckDB's words from another's.
_OF_S3 = re.compile(r"IO Error: (?:[^:\n]*\bHTTP\b|Unable to connect to URL )")
_STATUS = re.compile(r"\bHTTP (?:code )?(\d{3})\b")
# DuckDB's words for a value that cannot be, up to where the value stands.
_FAULTS = re.compile(
    r"(?:Conversion|Out of Range|Invalid Input) Error: ("
    r"Could not (?:convert string|cast value|decode string|parse string)|Casting value"
    r"|invalid (?:date|time|timestamp) field format|(?:date|time|timestamp) field value out of range"
    r"|Type [A-Z]\w*(?:\(\d+,\d+\))? with value|Overflow in [a-z ]+ of [A-Z]\w*|Malformed JSON|extract specifier"
    r"|Invalid hex escape code|Invalid character encountered in string -> bit conversion|Cannot cast (?:list|array)"
    r"|Epoch seconds out of range|Value out of range|cannot take (?:square root|logarithm) of (?:a negative number|zero)"
    r"|More than one row returned by a subquery|Cannot create a string of size"
    r"|Map keys can not be NULL|Map keys must be unique|Invalid UTF8 Codepoint|(?:Date|Time|Timestamp) out of range"
    r"|Failure in decode: could not convert blob to UTF8 string|Insufficient padding in [LR]PAD|Slice step cannot be zero"
    r"|Overflow on abs|Invalid input for hex digit|missing [\])]|unexpected \)|invalid escape sequence|bad repetition operator"
    r"|no argument for repetition operator|trailing \\|invalid (?:perl operator|character class range|repetition size)"
    r")(?!\w)"
)
# What stands behind the value, at the text's very end: DuckDB's, whatever the value says.
_EXCERPT = re.compile(r"\n\nLINE \d+: [^\n]*\n *\^\s*\Z")
_TYPE = re.compile(r"""['"] to ([A-Z]\w*(?:\(\d+,\d+\))?)(?: when casting from source column \w+)?\Z""")
_COLUMN = re.compile(r" when casting from source column (\w+)\Z")


def is_of_s3(error: duckdb.Error) -> bool:
    """Whether DuckDB did not get to S3, or S3 refused; not what a database says, of which a text may hold any words."""
    import duckdb

    if isinstance(error, duckdb.HTTPException):
        return True
    return isinstance(error, duckdb.IOException) and bool(_OF_S3.match(unquoted(str(error))))


def status_of(error: duckdb.Error) -> int:
    """HTTP's status of an answer of S3; 0 for none."""
    told = int(getattr(error, "status_code", 0) or 0)
    found = None if told or not is_of_s3(error) else _STATUS.search(unquoted(str(error)))
    return int(found[1]) if found else told


def unreached(error: duckdb.Error, what: str, *, place: str, remedy: str = "") -> RetryLater:
    """The error to raise where DuckDB did not get to S3: WaitForAws if S3 throttles or is down, and says so."""
    status = status_of(error)
    kind = WaitForAws if status == 429 or status >= 500 else RetryLater
    return kind(what, place=place, remedy=remedy)


def told(error: duckdb.Error) -> str:
    """What may be said of an error that rows have caused: its class, DuckDB's words for the fault, type and column; no value."""
    text = str(error)
    fault = _FAULTS.match(text)
    if not fault:
        return type(error).__name__
    text = _EXCERPT.sub("", text)
    of_type, of_column = _TYPE.search(text), _COLUMN.search(text)
    into = f" … to {of_type[1]}" if of_type and fault[1] == "Could not convert string" else ""
    return f"{fault[0]}{into}{f' (column {of_column[1]})' if of_column else ''}"
