"""Snowflake's types, and what its operators give. A value is cast to the type that is told here before it is kept.

It has one type of exact numbers, of 38 digits. What is whole here is said to be an INTEGER or a BIGINT, so that a table's column
is one; a result beyond a BIGINT is an error of its CAST and no other number.
https://docs.snowflake.com/en/sql-reference/intro-summary-data-types, …/operators-arithmetic
"""

from __future__ import annotations

from sqlglot import exp

from language.sql.listed.types import Types
from shared_metadata.program.type_names import TypeName

_MOST = 38
_MORE_SCALE, _MOST_SCALE = 6, 12  # of a quotient: so many digits more, and at most so many; the latter of a product too
INTERVAL = TypeName("interval")


class SnowflakeTypes(Types):
    def arithmetic(self, sign: str, one: TypeName, other: TypeName) -> TypeName | None:
        if one.word in self.whole and other.word in self.whole:
            return self.of_decimals(sign, self.as_decimal(one), self.as_decimal(other)) if sign == "/" else self.long
        return super().arithmetic(sign, one, other)

    def of_decimals(self, sign: str, one: tuple[int, int], other: tuple[int, int]) -> TypeName:
        (p1, s1), (p2, s2) = one, other
        scale = {"*": min(s1 + s2, max(s1, s2, _MOST_SCALE)), "/": max(s1, min(s1 + _MORE_SCALE, _MOST_SCALE))}.get(sign, max(s1, s2))
        whole = {"*": p1 - s1 + p2 - s2, "/": p1 - s1 + s2, "%": min(p1 - s1, p2 - s2)}.get(sign, max(p1 - s1, p2 - s2) + 1)
        return TypeName("decimal", sizes=(min(_MOST, max(whole + scale, 1)), scale))

    def moved(self, sign: str, one: TypeName, other: TypeName) -> TypeName | None:
        """https://docs.snowflake.com/en/sql-reference/data-types-datetime: days are added to a date as numbers."""
        if sign == "+" and (one == INTERVAL or one.word in self.whole):
            one, other = other, one
        if one.word == "date" and other.word in self.whole and sign in "+-":
            return one
        if sign == "-" and one.word == other.word == "date":
            return self.long
        if sign in "+-" and one.word in self.moments and other == INTERVAL:
            return TypeName("timestamp_ntz") if one.word == "date" else one
        return None

    def interval(self, node: exp.Interval) -> TypeName | None:
        return INTERVAL


TYPES = SnowflakeTypes(
    of_schema={
        **{"boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "float", "date": "date"},
        **{"timestamp": "timestamp_ntz", "timestamptz": "timestamp_ltz", "string": "varchar", "binary": "binary"},
        **{"decimal": "decimal", "time": "time", "uuid": "uuid", "list": "array", "map": "map", "struct": "struct"},
    },
    casts={
        **{"SMALLINT": "integer", "TINYINT": "integer", "INT": "integer", "BIGINT": "bigint", "FLOAT": "float", "DOUBLE": "float"},
        **{"BOOLEAN": "boolean", "VARCHAR": "varchar", "CHAR": "varchar", "NVARCHAR": "varchar", "TEXT": "varchar", "DATE": "date"},
        **{
            "TIMESTAMP": "timestamp_ntz",
            "TIMESTAMPNTZ": "timestamp_ntz",
            "DATETIME": "timestamp_ntz",
            "TIMESTAMPLTZ": "timestamp_ltz",
        },
        **{"TIMESTAMPTZ": "timestamp_ltz", "TIME": "time", "VARBINARY": "binary", "BINARY": "binary"},
    },
    whole={"integer": 10, "bigint": 19},
    inexact=("real", "float"),
    moments=("date", "timestamp_ntz", "timestamp_ltz"),
    intervals=(INTERVAL,),
    unsized=(_MOST, 0),
    digits={
        "decimal": lambda precision, scale: (precision, scale),
        "decimal38": lambda precision, scale: (_MOST, scale),
        "whole38": lambda precision, scale: (_MOST, 0),
        "mean": lambda precision, scale: (_MOST, max(scale, min(scale + _MORE_SCALE, _MOST_SCALE))),
    },
    text=TypeName("varchar"),
    integer=TypeName("integer"),
    long=TypeName("bigint"),
    moment=TypeName("timestamp_ltz"),
    double=TypeName("float"),
    cast_among=(  # https://docs.snowflake.com/en/sql-reference/data-type-conversion#data-types-that-can-be-cast
        frozenset(("integer", "bigint", "decimal", "real", "float", "boolean")),
        frozenset(("date", "timestamp_ntz", "timestamp_ltz", "time")),
    ),
)
