"""Spark's types, and what its operators give.

https://spark.apache.org/docs/3.5.6/sql-ref-ansi-compliance.html, https://iceberg.apache.org/docs/1.10.0/spark-getting-started/#type-compatibility
"""

from __future__ import annotations

from sqlglot import exp

from language.sql.listed.types import Types
from shared_metadata.program.type_names import TypeName

_MOST, _LEAST_SCALE = 38, 6  # the second: which a result that has too many digits keeps after its point
_LARGEST_LONG, _MOST_DIGITS = 2**63 - 1, 19
# Of days alone, of what is shorter too, of months.
_DAYS, _DAY_TIME, _MONTHS = map(TypeName, ("interval day", "interval day to second", "interval year to month"))
_EXTRACTED = frozenset(
    (
        *("YEAR", "YEAROFWEEK", "QUARTER", "MONTH", "WEEK", "DAY", "DAYOFWEEK", "DOW", "DAYOFWEEK_ISO", "DOW_ISO", "DOY"),
        *("HOUR", "MINUTE", "MONTH", "Y", "QTR", "MON", "W", "D", "H", "MIN"),
    )
)
_UNITS = {**{"YEAR": _MONTHS, "MONTH": _MONTHS, "DAY": _DAYS}, **dict.fromkeys(("HOUR", "MINUTE", "SECOND"), _DAY_TIME)}


class SparkTypes(Types):
    def literal(self, node: exp.Literal) -> TypeName:
        """https://spark.apache.org/docs/3.5.6/sql-ref-literals.html: a number that is too long for a bigint is a decimal."""
        text = node.name.replace("_", "")
        if node.is_string or "e" in text.lower():
            return super().literal(node)
        whole, dot, scale = text.partition(".")
        digits = max(len((whole + scale).lstrip("0")), len(scale), 1)
        if dot or digits > _MOST_DIGITS or int(text) > _LARGEST_LONG:
            return TypeName("decimal", sizes=(digits, len(scale)))
        return super().literal(node)

    def wider(self, one: TypeName, other: TypeName) -> TypeName:
        """https://spark.apache.org/docs/3.5.6/sql-ref-ansi-compliance.html#least-common-type-resolution"""
        found = super().wider(one, other)  # of a float and what is none, all digits are kept
        return self.double if found.word == "float" and {one.word, other.word} - {"float", "tinyint", "smallint"} else found

    def of_numbers(self, sign: str, wide: TypeName) -> TypeName | None:
        if sign == "DIV":
            return self.long if wide.word in self.whole else None
        return self.double if sign == "/" else wide

    def of_decimals(self, sign: str, one: tuple[int, int], other: tuple[int, int]) -> TypeName:
        """https://github.com/apache/spark/blob/v3.5.6/sql/catalyst/src/main/scala/org/apache/spark/sql/catalyst/analysis/DecimalPrecision.scala"""
        (p1, s1), (p2, s2) = one, other
        scale = max(s1, s2)
        if sign == "DIV":
            return self.long
        if sign in "+-":
            return _fitted(max(p1 - s1, p2 - s2) + scale + 1, scale)
        if sign == "*":
            return _fitted(p1 + p2 + 1, s1 + s2)
        if sign == "%":
            return _fitted(min(p1 - s1, p2 - s2) + scale, scale)
        scale = max(_LEAST_SCALE, s1 + p2 + 1)
        return _fitted(p1 - s1 + s2 + scale, scale)

    def moved(self, sign: str, one: TypeName, other: TypeName) -> TypeName | None:
        if sign == "-" and one.word in self.moments and other.word in self.moments:
            return _DAYS if one.word == other.word == "date" else _DAY_TIME
        if sign == "+" and one in self.intervals:
            one, other = other, one
        if sign in "+-" and one.word in self.moments and other in self.intervals:
            return self.moment if one.word == "date" and other == _DAY_TIME else one
        if sign in "+-" and one in self.intervals and one == other:
            return one
        return None

    def interval(self, node: exp.Interval) -> TypeName | None:
        """None for one of several units, or of a unit that is not known here."""
        unit = node.args.get("unit")
        return _UNITS.get(unit.name.upper().removesuffix("S")) if unit is not None else None

    def is_cast(self, kind: TypeName, wanted: TypeName) -> bool:
        """https://spark.apache.org/docs/3.5.6/sql-ref-ansi-compliance.html#cast"""
        if kind.word in (wanted.word, "unknown"):
            return len(kind.parts) == len(wanted.parts) and all(map(self.is_cast, kind.parts, wanted.parts))
        if wanted.word == "string":
            return True
        if self.is_number(kind) or kind.word == "boolean":
            return self.is_number(wanted) or wanted.word == "boolean" or (wanted.word == "timestamp" and kind.word != "boolean")
        if kind.word == "string":
            return not wanted.parts
        if kind.word in self.moments:
            return wanted.word in self.moments or (kind.word == "timestamp" and self.is_number(wanted))
        return False

    def extracted(self, unit: str) -> TypeName | None:
        """https://spark.apache.org/docs/3.5.6/api/sql/index.html#extract"""
        if unit in ("SECOND", "SECONDS"):
            return TypeName("decimal", sizes=(8, 6))
        return self.integer if unit in _EXTRACTED or unit.removesuffix("S") in _EXTRACTED else None

    def as_written(self, node: exp.Expr, one: TypeName, other: TypeName) -> tuple[TypeName, TypeName]:
        """A whole number that is written out has beside a decimal as many digits as are written."""
        found = [one, other]
        for at, part in enumerate((node.this, node.expression)):
            if found[1 - at].word == "decimal" and found[at].word in self.whole:
                part = part.this if isinstance(part, exp.Neg) else part
                if isinstance(part, exp.Literal):
                    found[at] = TypeName("decimal", sizes=(len(str(int(part.name))), 0))
        return found[0], found[1]


def _fitted(precision: int, scale: int) -> TypeName:
    """A decimal of these digits; of too many, the whole ones stay as far as six stay after the point."""
    if precision > _MOST:
        whole = precision - scale
        precision, scale = _MOST, max(_MOST - whole, min(scale, _LEAST_SCALE))
    return TypeName("decimal", sizes=(precision, scale))


# A moment in UTC is Spark's TIMESTAMP, one of no zone its TIMESTAMP_NTZ; a uuid is read as a text, a table with a `time` not at all.
TYPES = SparkTypes(
    of_schema={
        **{"boolean": "boolean", "int": "int", "long": "bigint", "float": "float", "double": "double", "uuid": "string"},
        **{"date": "date", "timestamp": "timestamp_ntz", "timestamptz": "timestamp", "string": "string", "time": "time"},
        **{"binary": "binary", "list": "array", "map": "map", "struct": "struct", "decimal": "decimal"},
    },
    to_schema={"tinyint": "int", "smallint": "int"},
    casts={
        **{"TINYINT": "tinyint", "SMALLINT": "smallint", "INT": "int", "BIGINT": "bigint", "FLOAT": "float", "DOUBLE": "double"},
        **{"BOOLEAN": "boolean", "TEXT": "string", "BINARY": "binary", "DATE": "date"},
        **{"TIMESTAMPTZ": "timestamp", "TIMESTAMPLTZ": "timestamp", "TIMESTAMPNTZ": "timestamp_ntz"},
    },
    whole={"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20},
    inexact=("float", "double"),
    moments=("date", "timestamp_ntz", "timestamp"),
    intervals=(_DAYS, _DAY_TIME, _MONTHS),
    unsized=(10, 0),
    digits={  # https://spark.apache.org/docs/3.5.6/sql-ref-functions-builtin.html
        "decimal": lambda precision, scale: (precision, scale),
        "summed": lambda precision, scale: (min(_MOST, precision + 10), scale),
        "mean": lambda precision, scale: (min(_MOST, precision + 4), min(_MOST, scale + 4)),
        "whole": lambda precision, scale: (precision - scale + min(scale, 1), 0),
    },
    text=TypeName("string"),
    integer=TypeName("int"),
    long=TypeName("bigint"),
    moment=TypeName("timestamp"),
    sized=False,
    rows_by_name=True,
    incomparable=frozenset(("map",)),
)
