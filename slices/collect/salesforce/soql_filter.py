"""A program's WHERE clause as SOQL; what SOQL cannot say is an error with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import NoReturn

import sqlglot
from sqlglot import exp

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import to_text
from shared_metadata.soql import LITERAL

_COMPARISONS: Mapping[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("=", "="),
    exp.NEQ: ("!=", "!="),
    exp.LT: ("<", ">"),
    exp.LTE: ("<=", ">="),
    exp.GT: (">", "<"),
    exp.GTE: (">=", "<="),
}
_CASTS = {"DATE": "date", "TIME": "time", "TIMESTAMP": "datetime", "TIMESTAMPTZ": "datetime", "DATETIME": "datetime"}
_ARGUMENTS = frozenset({"this", "expression", "expressions", "low", "high", "negate"})
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def to_soql(condition: str, fields: Mapping[str, str] | None, place: str) -> str:
    """The condition in SOQL. fields: the object's, name ▸ type; None when unknown (at compile time): then nothing is looked up.

    It has Salesforce's meaning: text compares without regard to case, and `!=` and NOT also find nulls.
    """
    return _Translation(fields, place).condition(_tree(condition, place))


def fields_of(condition: str, fields: Mapping[str, str], place: str) -> set[str]:
    """The fields of the object that a condition names."""
    named = {column.name.lower() for column in _tree(condition, place).find_all(exp.Column)}
    return {name for name in fields if name.lower() in named}


def _tree(condition: str, place: str) -> exp.Expr:
    """The condition, whose dates may be written as SOQL writes them: without quotes."""

    def quoted(literal: re.Match[str]) -> str:
        if relative := literal["relative"]:
            remedy = "write the moment itself, as in 2026-01-31T00:00:00Z, or filter by batch_end() in a view"
            raise DefinitionError(f"`{relative}` is another time each day", place=place, remedy=remedy)
        return f"'{literal['moment']}'" if literal["moment"] else literal.group()

    try:
        return sqlglot.parse_one(LITERAL.sub(quoted, condition))
    except sqlglot.errors.SqlglotError:
        raise DefinitionError("the WHERE clause is not SQL", place=place, remedy="write it as a SQL condition") from None


class _Translation:
    def __init__(self, fields: Mapping[str, str] | None, place: str) -> None:
        self._fields, self._place = fields, place

    def condition(self, node: exp.Expr) -> str:
        if any(value for name, value in node.args.items() if name not in _ARGUMENTS):
            self._refuse(node)
        if isinstance(node, exp.Paren):
            return f"({self.condition(node.this)})"
        if isinstance(node, exp.And | exp.Or):
            word = "AND" if isinstance(node, exp.And) else "OR"
            # SOQL refuses AND beside OR without parentheses.
            return f"({self.condition(node.left)} {word} {self.condition(node.right)})"
        if isinstance(node, exp.Not):
            return self._not(node.this)
        for kind, signs in _COMPARISONS.items():
            if isinstance(node, kind):
                return self._comparison(node, *signs)
        return self._special(node)

    def _not(self, node: exp.Expr) -> str:
        inner = node.unnest()
        if isinstance(inner, exp.In):
            return self._membership(inner, "NOT IN")
        if isinstance(inner, exp.Is):
            return self._is(inner, "!=")
        return f"(NOT {self.condition(inner)})"

    def _special(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Is):
            return self._is(node, "=")
        if isinstance(node, exp.In):
            return self._membership(node, "IN")
        if isinstance(node, exp.Like):
            like = f"{self._field(node.this)} LIKE {self._literal(node.expression, '')}"
            return f"(NOT {like})" if node.args.get("negate") else like
        if isinstance(node, exp.Between):
            field, kind = self._typed(node.this)
            low, high = self._literal(node.args["low"], kind), self._literal(node.args["high"], kind)
            return f"({field} >= {low} AND {field} <= {high})"
        if isinstance(node, exp.Column):
            return f"{self._field(node)} = TRUE"
        self._refuse(node)

    def _comparison(self, node: exp.Expr, sign: str, flipped: str) -> str:
        left, right = node.this, node.expression
        if isinstance(right, exp.Column) and not isinstance(left, exp.Column):
            left, right, sign = right, left, flipped
        field, kind = self._typed(left)
        return f"{field} {sign} {self._literal(right, kind)}"

    def _is(self, node: exp.Is, sign: str) -> str:
        return f"{self._field(node.this)} {sign} {self._literal(node.expression, '')}"

    def _membership(self, node: exp.In, word: str) -> str:
        field, kind = self._typed(node.this)
        if not node.expressions:
            self._refuse(node)
        return f"{field} {word} ({', '.join(self._literal(value, kind) for value in node.expressions)})"

    def _typed(self, node: exp.Expr) -> tuple[str, str]:
        field = self._field(node)
        return field, (self._fields or {}).get(field, "")

    def _field(self, node: exp.Expr) -> str:
        if not isinstance(node, exp.Column) or len(node.parts) != 1:
            self._refuse(node)
        if self._fields is None:
            return str(node.name)
        found = next((name for name in self._fields if name.lower() == node.name.lower()), None)
        if found is None:
            from shared_metadata.spelling import did_you_mean

            remedy = did_you_mean(node.name, list(self._fields)) + "change the WHERE clause"
            raise DefinitionError(f"the object has no field {node.name}", place=self._place, remedy=remedy)
        return found

    def _literal(self, node: exp.Expr, kind: str) -> str:
        node = node.unnest()
        if isinstance(node, exp.Null):
            return "null"
        if isinstance(node, exp.Boolean):
            return "TRUE" if node.this else "FALSE"
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
            return f"-{node.this.name}"
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
            wanted = _CASTS.get(node.to.this.name)
            if not wanted:
                self._refuse(node)
            return self._literal(node.this, kind if kind in _WRITERS else wanted)
        if not isinstance(node, exp.Literal):
            self._refuse(node)
        if not node.is_string:
            return str(node.name)
        return self._text(node, kind)

    def _text(self, node: exp.Literal, kind: str) -> str:
        if kind not in _WRITERS:
            return "'" + node.name.translate(_ESCAPES) + "'"
        try:
            return _WRITERS[kind](node.name)
        except ValueError:
            raise DefinitionError(
                f"{node.sql()} is not a {kind}",
                place=self._place,
                remedy="write dates as '2026-11-23', datetimes as '2026-11-23T10:00:00Z'",
            ) from None

    def _refuse(self, node: exp.Expr) -> NoReturn:
        raise DefinitionError(
            f"Salesforce cannot filter by `{node.sql()}`",
            place=self._place,
            remedy="compare a field with a constant (= <> < <= > >= IN LIKE BETWEEN IS NULL, AND, OR, NOT); do the rest in a view",
        )


def _datetime(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return to_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _time(text: str) -> str:
    return datetime.fromisoformat(f"1970-01-01T{text.removesuffix('Z')}").time().isoformat("milliseconds") + "Z"


def _boolean(text: str) -> str:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.upper()


_WRITERS: Mapping[str, Callable[[str], str]] = {
    "date": lambda text: date.fromisoformat(text[:10]).isoformat(),
    "datetime": _datetime,
    "time": _time,
    "boolean": _boolean,
}
