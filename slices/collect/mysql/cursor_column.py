"""A cursor column of MySQL: which of its values no window meets, and how its values are written as SQL; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import from_text
from shared_metadata.program.schema import SchemaColumn
from slices.collect.mysql.slice import SLICE
from systems.mysql.catalog import text_literal
from systems.mysql.type_mapping import type_word

TIME_TYPES = ("timestamptz", "timestamp", "date")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True)
class CursorColumn:
    """expression: over the source's columns.  iceberg: its type in the warehouse."""

    name: str
    expression: str
    iceberg: str

    highest = ""

    @property
    def is_time(self) -> bool:
        return self.iceberg in TIME_TYPES

    @property
    def lowest(self) -> str:
        """The condition of values that are not zero dates, which are below all others."""
        return f"{self.expression} >= {self._first}" if self.is_time else ""

    @property
    def unmet(self) -> str:
        """The condition of values that no window meets."""
        return f"{self.expression} IS NULL" + (f" OR {self.expression} < {self._first}" if self.is_time else "")

    def literal(self, value: str) -> str:
        """A value as SQL. value: of a time a moment in UTC, of anything else MySQL's text."""
        if self.is_time:
            moment = from_text(value).astimezone(UTC)
            return f"DATE'{moment:%Y-%m-%d}'" if self.iceberg == "date" else f"TIMESTAMP'{moment:%Y-%m-%d %H:%M:%S.%f}'"
        return value if _NUMBER.fullmatch(value) and self.iceberg != "string" else text_literal(value)

    @property
    def _first(self) -> str:
        return "DATE'0001-01-01'" if self.iceberg == "date" else "TIMESTAMP'0001-01-01 00:00:00'"


def cursor_of(column: SchemaColumn, expression: str, place: str) -> CursorColumn:
    """Raises DefinitionError for a type whose values do not rise."""
    kind = type_word(column.source_type)
    if column.type == "boolean" or not SLICE.capabilities.may_be_cursor(column.source_type):
        raise DefinitionError(
            f"the column {column.name} is of the type {kind}, which is no CURSOR: its values do not rise",
            place=place,
            remedy="name another CURSOR: a time of change or a number that rises",
        )
    # A FLOAT is written with fewer digits than it has; as a double it is written with all of them.
    return CursorColumn(column.name, f"({expression} + 0e0)" if kind == "float" else expression, column.type)
