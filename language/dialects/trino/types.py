"""Trino's types, and what its operators give.

https://trino.io/docs/current/language/types.html
"""

from __future__ import annotations

from sqlglot import exp

from language.sql.listed.types import Types
from shared_metadata.program.type_names import TypeName

_INTERVAL = TypeName("interval")


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
            return _INTERVAL
        if sign in "+-" and other == _INTERVAL and (one.word in self.moments or one in (_INTERVAL, TypeName("time"))):
            return one
        if sign == "+" and one == _INTERVAL and other.word in self.moments:
            return other
        return _INTERVAL if sign in "*/" and one == _INTERVAL and self.is_number(other) else None

    def interval(self, node: exp.Interval) -> TypeName:
        return _INTERVAL


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
    intervals=(_INTERVAL,),
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
)
