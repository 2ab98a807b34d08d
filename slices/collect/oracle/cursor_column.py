"""A cursor column of Oracle: which of its values no window meets, and how its values are written as SQL; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import from_text
from shared_metadata.program.schema import SchemaColumn
from slices.collect.oracle.slice import SLICE

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class CursorColumn:
    """expression: over the source's columns.  kind: its type, as Oracle writes it."""

    name: str
    expression: str
    kind: str

    lowest = highest = ""

    @property
    def is_time(self) -> bool:
        return self.kind.startswith(("DATE", "TIMESTAMP"))

    @property
    def unmet(self) -> str:
        """The condition of values that no window meets: before Christ there is no moment."""
        before = f" OR {self.expression} < {self.literal('0001-01-01T00:00:00Z')}" if self.is_time else ""
        return f"{self.expression} IS NULL{before}"

    def literal(self, value: str) -> str:
        """A value as SQL, of the column's own type, so that an index of it serves. value: of a time a moment in UTC, else a number.

        A DATE has whole seconds: it is before a moment between two of them where it is before the later one.
        """
        if not self.is_time:
            return value
        moment = from_text(value).astimezone(UTC)
        if self.kind == "DATE":
            whole = moment.replace(microsecond=0) + (_SECOND if moment.microsecond else timedelta(0))
            return f"TO_DATE('{whole.year:04d}-{whole:%m-%d %H:%M:%S}', 'YYYY-MM-DD HH24:MI:SS')"
        zone = " +00:00" if "TIME ZONE" in self.kind else ""
        return f"TIMESTAMP '{moment.year:04d}-{moment:%m-%d %H:%M:%S.%f}{zone}'"


def cursor_of(column: SchemaColumn, expression: str, place: str) -> CursorColumn:
    """Raises DefinitionError for a type whose values do not rise."""
    if not SLICE.capabilities.may_be_cursor(column.source_type):
        raise DefinitionError(
            f"the column {column.name} is of the type {column.source_type}, which is no CURSOR: its values do not rise",
            place=place,
            remedy="name another CURSOR: a time of change or a number that rises",
        )
    return CursorColumn(column.name, expression, column.source_type)
