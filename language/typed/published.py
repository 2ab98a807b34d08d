"""A publication's columns against the table that they go to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from language.sql.problems import QueryProblem
from language.sql.typing import QueryColumn
from language.text.diagnostics import did_you_mean
from shared_metadata.contract.declaration import Slice, declared
from shared_metadata.program.schema import Schema

_KINDS = {
    "boolean": "boolean",
    "int": "number",
    "long": "number",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "date": "moment",
    "timestamp": "moment",
    "timestamptz": "moment",
    "time": "time",
    "binary": "binary",
}


def check_target(columns: Sequence[QueryColumn], target: str, schema: Schema, harness: Slice) -> Iterator[QueryProblem]:
    """What of the columns the target cannot take. Names match in any case; text takes everything but binary.

    Where a table takes any column beside its key, only the key's are compared.
    """
    why_not = _asked(harness)
    theirs = {column.name.lower(): column for column in schema.columns}
    for column in columns:
        other = theirs.get(column.name)
        if other is None and harness.capabilities.open_columns:
            continue
        if other is None:
            cause = f"the table `{target}` has no column `{column.name}`"
            remedy = f"add the column there, or publish one that it has: {', '.join(c.name for c in schema.columns)}"
            yield QueryProblem(column.start, column.end, cause, did_you_mean(column.name, theirs) + remedy)
        elif not _fits(column.type, other.type):
            cause = f"`{column.name}` is {column.type}, and the table `{target}` has it as {other.source_type or other.type}"
            yield QueryProblem(column.start, column.end, cause, "CAST it in the query, or change the table's column")
        elif column.type and (why := why_not(other.source_type, column.type)):
            cause = f"`{column.name}` is {column.type}, and the table `{target}` has it as {other.source_type}, {why}"
            yield QueryProblem(column.start, column.end, cause, "CAST it in the query, or change the table's column")


def _asked(harness: Slice) -> Callable[[str, str], str]:
    """What the slice has to say of a column's type and that of values."""
    if not harness.fits:
        return lambda source_type, type: ""
    asked: Callable[[str, str], str] = declared(harness.fits)
    return asked


def _fits(ours: str, theirs: str) -> bool:
    ours, theirs = ours.partition("(")[0], theirs.partition("(")[0]
    if not ours or ours.startswith("list<") or theirs.startswith("list<"):
        return True
    if theirs == "string":
        return ours != "binary"
    return _KINDS.get(ours, ours) == _KINDS.get(theirs, theirs)
