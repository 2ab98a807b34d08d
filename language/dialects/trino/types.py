"""Trino's types, and what its operators give.

https://trino.io/docs/current/language/types.html
"""

from __future__ import annotations

from sqlglot import exp

from language.sql.listed.types import Types
from shared_metadata.program.type_names import TypeName

_DAYS, _MONTHS = TypeName("interval day to second"), TypeName("interval year to month")
_EXTRACTED = frozenset(
    (
        *("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DAY_OF_MONTH", "DAY_OF_WEEK", "DOW", "DAY_OF_YEAR", "DOY"),
        *("YEAR_OF_WEEK", "YOW", "HOUR", "MINUTE", "SECOND"),
    )
)
# What each becomes by a CAST, beside itself; numbers, and what is nested, apart.
_CASTS = {
    "date": {"varchar", "timestamp", "timestamp with time zone"},
    "time": {"varchar"},
    "timestamp": {"varchar", "date", "time", "timestamp with time zone"},
    "timestamp with time zone": {"varchar", "date", "time", "timestamp"},
    "uuid": {"varchar", "varbinary"},
    "varbinary": {"uuid"},
    _DAYS.word: {"varchar"},
    _MONTHS.word: {"varchar"},
}


class TrinoTypes(Types):
    def of_decimals(self, sign: str, one: tuple[int, int], other: tuple[int, int]) -> TypeName:
        """https://trino.io/docs/current/functions/decimal.html#binary-arithmetic-decimal-operators"""
        (p1, s1), (p2, s2) = one, other
        precision, scale = {
            "+": (max(p1 - s1, p2 - s2) + max(s1, s2) + 1, max(s1, s2)),
            "*": (p1 + p2, s1 + s2),
            "/": (p1 + s2 + max(s2 - s1, 0), max(s1, s2)),
            "%": (min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2)),
        }["+" if sign == "-" else sign]
        return TypeName("decimal", sizes=(min(38, precision), scale))

    def moved(self, sign: str, one: TypeName, other: TypeName) -> TypeName | None:
        if sign == "-" and one.word in self.moments and other.word in self.moments:
            return _DAYS
        if sign == "+" and one in self.intervals:
            one, other = other, one
        if sign in "+-" and other in self.intervals:
            able = one.word in self.moments or one == other or (one.word == "time" and other == _DAYS)
            return one if able else None
        if sign == "*" and other in self.intervals:
            one, other = other, one
        return one if sign in "*/" and one in self.intervals and self.is_number(other) else None

    def extracted(self, unit: str) -> TypeName | None:
        """https://trino.io/docs/current/functions/datetime.html#extraction-function"""
        return self.long if unit in _EXTRACTED else None

    def interval(self, node: exp.Interval) -> TypeName | None:
        unit = node.args.get("unit")
        word = unit.name.upper().removesuffix("S") if unit is not None else ""
        return {"YEAR": _MONTHS, "MONTH": _MONTHS, **dict.fromkeys(("WEEK", "DAY", "HOUR", "MINUTE", "SECOND"), _DAYS)}.get(word)

    def is_cast(self, kind: TypeName, wanted: TypeName) -> bool:
        """https://trino.io/docs/current/functions/conversion.html"""
        if kind.word in (wanted.word, "unknown") or "json" in (kind.word, wanted.word):
            same = len(kind.parts) == len(wanted.parts) or kind.word != wanted.word
            return same and (kind.word != wanted.word or all(map(self.is_cast, kind.parts, wanted.parts)))
        if self.is_number(kind) or kind.word == "boolean":
            return self.is_number(wanted) or wanted.word in ("boolean", "varchar")
        if kind.word == "varchar":
            return not wanted.parts
        return wanted.word in _CASTS.get(kind.word, ())


TYPES = TrinoTypes(
    of_schema={
        **{"boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "double", "string": "varchar"},
        **{"date": "date", "time": "time", "timestamp": "timestamp", "timestamptz": "timestamp with time zone"},
        **{"uuid": "uuid", "binary": "varbinary", "list": "array", "map": "map", "struct": "row", "decimal": "decimal"},
    },
    to_schema={"tinyint": "int", "smallint": "int"},
    casts={
        **{"TINYINT": "tinyint", "SMALLINT": "smallint", "INT": "integer", "BIGINT": "bigint", "FLOAT": "real", "DOUBLE": "double"},
        **{"BOOLEAN": "boolean", "VARCHAR": "varchar", "TEXT": "varchar", "CHAR": "varchar", "VARBINARY": "varbinary"},
        **{"DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamp with time zone"},
        **{"UUID": "uuid", "JSON": "json"},
    },
    whole={"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19},
    inexact=("real", "double"),
    moments=("date", "timestamp", "timestamp with time zone"),
    intervals=(_DAYS, _MONTHS),
    unsized=(38, 0),
    digits={  # https://trino.io/docs/current/functions/decimal.html
        "decimal": lambda precision, scale: (precision, scale),
        "decimal38": lambda precision, scale: (38, scale),
        "whole": lambda precision, scale: (min(38, precision - scale + min(scale, 1)), 0),
        "longer": lambda precision, scale: (min(38, precision + 1), scale),
    },
    text=TypeName("varchar"),
    integer=TypeName("integer"),
    long=TypeName("bigint"),
    moment=TypeName("timestamp with time zone"),
    row="row",
    brackets=("(", ")"),
    of_field=" ",
    states_widen=True,
    unordered=frozenset(("map", "json")),
)
