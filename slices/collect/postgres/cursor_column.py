"""A cursor column of PostgreSQL: which of its values no window meets, and how its values are written as SQL; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import from_text
from shared_metadata.program.schema import SchemaColumn
from slices.collect.postgres.slice import SLICE

TIME_TYPES = ("timestamptz", "timestamp", "date")
_TEXTS = ("text", "character", "varchar")
_INFINITE = {"real": 0, "double precision": 0, "numeric": 140000, "interval": 170000}  # since which version of the server


@dataclass(frozen=True)
class CursorColumn:
    """sql: over the source's columns.  iceberg, source_type: its types.  version: the server's, as a number."""

    name: str
    sql: str
    iceberg: str
    source_type: str
    version: int = 0

    @property
    def expression(self) -> str:
        """Texts are compared by their bytes, whatever the column's collation."""
        return f'({self.sql}) COLLATE "C"' if self._kind.split(" ")[0] in _TEXTS else self.sql

    @property
    def is_time(self) -> bool:
        return self.iceberg in TIME_TYPES

    @property
    def lowest(self) -> str:
        """The condition of values that are not minus infinity; '' for types that do not know it."""
        return f"{self.expression} > '-infinity'" if self._infinite else ""

    @property
    def highest(self) -> str:
        """The condition of values below infinity and NaN, which are above all others."""
        if self._infinite:
            return f"{self.expression} < 'infinity'"
        return f"{self.expression} < 'NaN'" if self._kind == "numeric" else ""

    @property
    def unmet(self) -> str:
        """The condition of values that no window meets."""
        outside = [f"NOT ({condition})" for condition in (self.lowest, self.highest) if condition]
        return " OR ".join([f"{self.expression} IS NULL", *outside])

    def literal(self, value: str) -> str:
        """A value as SQL. value: of a time a moment in UTC, of anything else PostgreSQL's text."""
        if self.is_time:
            return _moment(from_text(value), self.iceberg)
        escaped = value.replace("'", "''")
        return f"CAST('{escaped}' AS {self.source_type})"

    @property
    def _kind(self) -> str:
        return re.sub(r"\(.*\)", "", self.source_type)

    @property
    def _infinite(self) -> bool:
        return self.is_time or self.version >= _INFINITE.get(self._kind, 10**9)


def check_rises(column: SchemaColumn, place: str, *, rising: bool) -> None:
    """Raises DefinitionError for a type whose values do not rise as rows change. rising: the program says that they do."""
    if not SLICE.capabilities.may_be_cursor(column.source_type, rising=rising):
        raise DefinitionError(
            f"the column {column.name} is of the type {column.source_type}, which is no CURSOR: its values do not rise",
            place=place,
            remedy="name another CURSOR: a time of change, or a number that rises; of ULIDs and UUIDv7 write CURSOR … RISING",
        )


def _moment(moment: datetime, iceberg: str) -> str:
    """Times without zone are UTC."""
    utc = moment.astimezone(UTC)
    if iceberg == "date":
        return f"DATE '{utc:%Y-%m-%d}'"
    text = utc.strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"TIMESTAMPTZ '{text}+00'" if iceberg == "timestamptz" else f"TIMESTAMP '{text}'"
