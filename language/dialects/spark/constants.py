"""The types of what a query writes out: numbers, texts, intervals."""

from __future__ import annotations

from sqlglot import exp

from language.dialects.spark.types import BIGINT, DAY_TIME, DAYS, DOUBLE, INT, MONTHS, STRING, is_whole
from shared_metadata.program.type_names import TypeName

_LARGEST, _LARGEST_LONG, _MOST_DIGITS = 2**31 - 1, 2**63 - 1, 19
_INTERVALS = {**{"YEAR": MONTHS, "MONTH": MONTHS, "DAY": DAYS}, **dict.fromkeys(("HOUR", "MINUTE", "SECOND"), DAY_TIME)}


def interval_type(node: exp.Interval) -> TypeName | None:
    """None for one of several units, or of a unit that is not known here."""
    unit = node.args.get("unit")
    return _INTERVALS.get(unit.name.upper().removesuffix("S")) if unit is not None else None


def as_written(node: exp.Expr, one: TypeName, other: TypeName) -> tuple[TypeName, TypeName]:
    """A whole number that is written out has beside a decimal as many digits as are written."""
    found = [one, other]
    for at, part in enumerate((node.this, node.expression)):
        if found[1 - at].word == "decimal" and is_whole(found[at]):
            part = part.this if isinstance(part, exp.Neg) else part
            if isinstance(part, exp.Literal):
                found[at] = TypeName("decimal", sizes=(len(str(int(part.name))), 0))
    return found[0], found[1]


def literal_type(node: exp.Literal) -> TypeName:
    """https://spark.apache.org/docs/3.5.6/sql-ref-literals.html: 1.5 is a decimal, 1e0 a double."""
    if node.is_string:
        return STRING
    text = node.name.replace("_", "")
    if "e" in text.lower():
        return DOUBLE
    whole, dot, scale = text.partition(".")
    digits = max(len((whole + scale).lstrip("0")), len(scale), 1)
    if dot or digits > _MOST_DIGITS or int(text) > _LARGEST_LONG:
        return TypeName("decimal", sizes=(digits, len(scale)))
    return INT if int(text) <= _LARGEST else BIGINT
