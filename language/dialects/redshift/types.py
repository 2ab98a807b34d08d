"""Redshift's types, and what its operators give.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html, …/r_numeric_computations201.html
"""

from __future__ import annotations

from sqlglot import exp

from language.sql.listed.types import Types
from shared_metadata.program.type_names import TypeName

_MOST, _LEAST_SCALE = 38, 4  # the second: which a quotient has at least
INTERVAL = TypeName("interval")
_DAYS = ("smallint", "integer")


class RedshiftTypes(Types):
    def wider(self, one: TypeName, other: TypeName) -> TypeName:
        """A REAL and what is none become a DOUBLE PRECISION."""
        found = super().wider(one, other)
        return self.double if found.word == "real" and {one.word, other.word} != {"real"} else found

    def of_numbers(self, sign: str, wide: TypeName) -> TypeName | None:
        """https://docs.aws.amazon.com/redshift/latest/dg/r_MOD.html: no remainder of what is inexact."""
        return None if sign == "%" and wide.word in self.inexact else wide

    def of_decimals(self, sign: str, one: tuple[int, int], other: tuple[int, int]) -> TypeName:
        """https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html"""
        (p1, s1), (p2, s2) = one, other
        scale = {"*": s1 + s2, "/": max(_LEAST_SCALE, s1 + p2 - s2 + 1)}.get(sign, max(s1, s2))
        precision = {
            "*": p1 + p2 + 1,
            "/": p1 - s1 + s2 + scale,
            "%": min(p1 - s1, p2 - s2) + scale,
        }.get(sign, max(p1 - s1, p2 - s2) + 1 + scale)
        if precision > _MOST:
            scale = max(_MOST - (precision - scale), min(scale, _LEAST_SCALE if sign == "/" else scale))
        return TypeName("decimal", sizes=(min(_MOST, precision), min(_MOST, scale)))

    def moved(self, sign: str, one: TypeName, other: TypeName) -> TypeName | None:
        """https://docs.aws.amazon.com/redshift/latest/dg/r_Datetime_types.html: days are added to a date as an INTEGER."""
        if sign == "+" and (one == INTERVAL or one.word in self.whole):
            one, other = other, one
        if one.word == "date" and other.word in _DAYS and sign in "+-":
            return one
        if sign == "-" and one.word == other.word == "date":
            return self.long
        if sign == "-" and one.word in self.moments and other.word in self.moments:
            return INTERVAL
        if sign in "+-" and one.word in self.moments and other == INTERVAL:
            return TypeName("timestamp") if one.word == "date" else one
        return INTERVAL if sign in "+-" and one == other == INTERVAL else None

    def interval(self, node: exp.Interval) -> TypeName | None:
        return INTERVAL

    def extracted(self, unit: str) -> TypeName:
        """Whole numbers, but of seconds: DATE_PART, which is read as EXTRACT is, gives parts of them.

        https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html
        """
        return self.double if unit.removesuffix("S") in ("EPOCH", "SECOND", "MILLISECOND", "MICROSECOND") else self.integer


TYPES = RedshiftTypes(
    of_schema={
        **{"boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "double precision"},
        **{"date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz", "string": "varchar", "binary": "varbyte"},
        **{"decimal": "decimal", "time": "time", "uuid": "uuid", "list": "array", "map": "map", "struct": "struct"},
    },
    to_schema={"smallint": "int", "char": "string"},
    casts={
        **{"SMALLINT": "smallint", "INT": "integer", "BIGINT": "bigint", "FLOAT": "real", "DOUBLE": "double precision"},
        **{"BOOLEAN": "boolean", "VARCHAR": "varchar", "CHAR": "char", "NVARCHAR": "varchar", "TEXT": "varchar"},
        **{"DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamptz", "TIME": "time", "VARBINARY": "varbyte"},
    },
    whole={"smallint": 5, "integer": 10, "bigint": 19},
    inexact=("real", "double precision"),
    moments=("date", "timestamp", "timestamptz"),
    intervals=(INTERVAL,),
    unsized=(18, 0),
    digits={  # https://docs.aws.amazon.com/redshift/latest/dg/c_Aggregate_Functions.html
        "decimal": lambda precision, scale: (precision, scale),
        "decimal38": lambda precision, scale: (_MOST, scale),
        "whole38": lambda precision, scale: (_MOST, 0),
    },
    text=TypeName("varchar"),
    integer=TypeName("integer"),
    long=TypeName("bigint"),
    moment=TypeName("timestamptz"),
    double=TypeName("double precision"),
    cast_among=(  # https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html#r_Type_conversion
        frozenset(("smallint", "integer", "bigint", "decimal", "real", "double precision", "char")),
        frozenset(("smallint", "integer", "bigint", "boolean", "char")),
        frozenset(("date", "timestamp", "timestamptz", "time", "char")),
    ),
)
