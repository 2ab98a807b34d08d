"""Expressions of Trino's SQL in DuckDB's, each with the type that Trino gives it; what is not known to be the same is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from doubles.athena import arithmetic, kinds, zones
from doubles.athena.calls import Calls
from doubles.athena.casts import cast, coerced
from doubles.athena.errors import unknown
from doubles.athena.kinds import (
    BIGINT,
    BOOLEAN,
    DAYS,
    DOUBLE,
    INTEGER,
    MONTHS,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    becomes,
    duck,
    literal,
    mismatch,
    said,
)
from doubles.athena.nested import element, field_of
from doubles.athena.scope import Column, Scope, Value
from doubles.athena.special import together
from shared_metadata.program.type_names import TypeName as Kind

_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARING: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_LARGEST = 2**31 - 1
_DAY_UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK")
Rows = Callable[[exp.Expr, Scope], tuple[str, Sequence[Column]]]  # a query within an expression


class Expressions:
    """Expressions of one SELECT.

    variables: parameters of lambdas.  windows: those that have names.  aliases: the SELECT's columns, where ORDER BY is read.
    """

    def __init__(self, scope: Scope, rows: Rows) -> None:
        self.scope, self._rows, self._calls = scope, rows, Calls(self)
        self.variables: Mapping[str, Value] = {}
        self.windows: Mapping[str, exp.Expr] = {}
        self.aliases: Mapping[str, Value] = {}

    def of(self, node: exp.Expr) -> Value:
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Literal):
            return _literal(node)
        if isinstance(node, (exp.Paren, exp.Alias)):
            return self.of(node.this)
        if type(node) in _COMPARING:
            return arithmetic.compared(_COMPARING[type(node)], self.of(node.this), self.of(node.expression))
        if type(node) in _SIGNS:
            return arithmetic.computed(_SIGNS[type(node)], self.of(node.this), self.of(node.expression))
        if isinstance(node, exp.Cast):  # and TRY_CAST, and DATE '…'
            return self._cast(node)
        if isinstance(node, (exp.Case, exp.If)):
            return self._case(node)
        if isinstance(node, (exp.Subquery, exp.Exists, exp.Query)):
            return self._query(node)
        return self._other(node)

    def _other(self, node: exp.Expr) -> Value:
        if isinstance(node, exp.Boolean):
            return Value("TRUE" if node.this else "FALSE", BOOLEAN)
        if isinstance(node, exp.Null):
            return Value("NULL", UNKNOWN)
        if isinstance(node, (exp.And, exp.Or)):
            word = "AND" if isinstance(node, exp.And) else "OR"
            return Value(f"({self.condition(node.this)} {word} {self.condition(node.expression)})", BOOLEAN)
        if isinstance(node, exp.Not):
            return self._not(node)
        if isinstance(node, (exp.NullSafeEQ, exp.NullSafeNEQ)):
            differ = isinstance(node, exp.NullSafeNEQ)
            return arithmetic.same(self.of(node.this), self.of(node.expression), negated=differ)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return Value(f"({self.of(node.this).sql} IS NULL)", BOOLEAN)
        if isinstance(node, (exp.In, exp.Between)):
            return self._among(node)
        if isinstance(node, (exp.Like, exp.Escape)):
            return self._like(node)
        if isinstance(node, exp.DPipe):
            return self._calls.special("concat", [node.this, node.expression])
        if isinstance(node, exp.Neg):
            return self._negated(node)
        return self._last(node)

    def _last(self, node: exp.Expr) -> Value:
        if isinstance(node, exp.Interval):
            return _interval(node)
        if isinstance(node, exp.HexString):
            return Value(f"unhex({literal(node.name)})", VARBINARY)
        if isinstance(node, exp.AtTimeZone):
            return self._at_zone(node)
        if isinstance(node, exp.Array):
            sqls, kind = together([self.of(part) for part in node.expressions], "All ARRAY elements")
            return Value(f"list_value({', '.join(sqls)})", Kind("array", (kind,)))
        if isinstance(node, exp.Dot):
            return self._field(node)
        if isinstance(node, exp.Bracket):
            return element(self, node)
        if isinstance(node, exp.Identifier) and node.name.lower() in self.variables:  # of a lambda
            return self.variables[node.name.lower()]
        return self._calls.of(node)

    # -- names

    def _column(self, node: exp.Column) -> Value:
        names = tuple(part.name.lower() for part in node.parts)
        if len(names) == 1 and names[0] in self.aliases:
            return self.aliases[names[0]]
        if len(names) > 1 and not self.scope.find(names[:-1], names[-1]) and self.scope.find((), names[0]):
            value = self.scope.column((), names[0]).value
            for name in names[1:]:
                value = field_of(value, name)
            return value
        return self.scope.column(names[:-1], names[-1]).value

    def _field(self, node: exp.Dot) -> Value:
        return field_of(self.of(node.this), node.expression.name.lower())

    # -- conditions

    def condition(self, node: exp.Expr) -> str:
        value = self.of(node)
        if not becomes(value.kind, BOOLEAN):
            raise mismatch(f"line 1:1: this must evaluate to a boolean (actual: {said(value.kind)})")
        return coerced(value, BOOLEAN)

    def _not(self, node: exp.Not) -> Value:
        return Value(f"(NOT {self.condition(node.this)})", BOOLEAN)

    def _among(self, node: exp.In | exp.Between) -> Value:
        value = self.of(node.this)
        if isinstance(node, exp.Between):
            low, high = (arithmetic.compared(*pair) for pair in (
                (">=", value, self.of(node.args["low"])), ("<=", value, self.of(node.args["high"])),
            ))  # fmt: skip
            return Value(f"({low.sql} AND {high.sql})", BOOLEAN)
        query = node.args.get("query")
        if query is None:
            found = [arithmetic.compared("=", value, self.of(part)).sql for part in node.expressions]
            return Value(f"({' OR '.join(found)})", BOOLEAN)
        sql, columns = self._rows(query.this if isinstance(query, exp.Subquery) else query, self.scope)
        _one(columns)
        kind = kinds.common(value.kind, columns[0].value.kind)
        if kind is None or kind.word in kinds.INEXACT:
            raise unknown(f"{said(value.kind)} IN a query of {said(columns[0].value.kind)}")
        inner = f"SELECT {coerced(Value('of_in.c1', columns[0].value.kind), kind)} FROM ({sql}) AS of_in"
        return Value(f"({coerced(value, kind)} IN ({inner}))", BOOLEAN)

    def _like(self, node: exp.Like | exp.Escape) -> Value:
        like = node.this if isinstance(node, exp.Escape) else node
        if not isinstance(like, exp.Like):
            raise unknown("ESCAPE of this")
        value, pattern = self.of(like.this), self.of(like.expression)
        if not all(becomes(each.kind, VARCHAR) for each in (value, pattern)):
            raise mismatch(f"line 1:1: Left side of LIKE expression must evaluate to a varchar (actual: {said(value.kind)})")
        escape = f" ESCAPE {self.of(node.expression).sql}" if isinstance(node, exp.Escape) else ""
        negated = "NOT " if like.args.get("negate") else ""
        return Value(f"({negated}{value.sql} LIKE {pattern.sql}{escape})", BOOLEAN)

    # -- values

    def _negated(self, node: exp.Neg) -> Value:
        inner = node.this
        if isinstance(inner, exp.Literal) and not inner.is_string:
            return _number(f"-{inner.name}")
        return arithmetic.negated(self.of(inner))

    def _cast(self, node: exp.Cast) -> Value:
        return cast(self.of(node.this), kinds.read(node.to), soft=isinstance(node, exp.TryCast))

    def _case(self, node: exp.Case | exp.If) -> Value:
        whens = node.args["ifs"] if isinstance(node, exp.Case) else [node]
        otherwise = node.args.get("default") if isinstance(node, exp.Case) else node.args.get("false")
        base = self.of(node.this) if isinstance(node, exp.Case) and node.this is not None else None
        if base is None:
            tested = [self.condition(when.this) for when in whens]
        else:
            tested = [arithmetic.compared("=", base, self.of(when.this)).sql for when in whens]
        values = [self.of(value) for value in [*(when.args["true"] for when in whens), *([otherwise] if otherwise else [])]]
        sqls, kind = together(values, "All CASE results")
        arms = " ".join(f"WHEN {test} THEN {sql}" for test, sql in zip(tested, sqls, strict=False))
        return Value(f"(CASE {arms} ELSE {sqls[-1] if otherwise else 'NULL'} END)", kind)

    def _at_zone(self, node: exp.AtTimeZone) -> Value:
        value, zone = self.of(node.this), node.args["zone"]
        if not (isinstance(zone, exp.Literal) and zone.is_string):
            raise unknown("AT TIME ZONE of a zone that is not written out")
        kind = kinds.plain(value.kind)
        if kind.word not in kinds.MOMENTS[1:]:
            raise mismatch("line 1:1: Type of value must be a time or timestamp with or without time zone")
        moment = kinds.moment(kinds.ZONED, kind.sizes[0])
        return zones.at(Value(coerced(Value(value.sql, kind), moment), moment), zone.name)

    def _query(self, node: exp.Expr) -> Value:
        inner = node.this if isinstance(node, (exp.Subquery, exp.Exists)) else node
        sql, columns = self._rows(inner, self.scope)
        if isinstance(node, exp.Exists):
            return Value(f"(EXISTS ({sql}))", BOOLEAN)
        _one(columns)
        return Value(f"({sql})", columns[0].value.kind)


def _one(columns: Sequence[Column]) -> None:
    if len(columns) != 1:
        raise mismatch(f"line 1:1: Multiple columns returned by subquery are not yet supported. Found {len(columns)}")


def _literal(node: exp.Literal) -> Value:
    return Value(literal(node.name), VARCHAR) if node.is_string else _number(node.name)


def _number(text: str) -> Value:
    """https://trino.io/docs/current/language/types.html: 1.5 is a decimal, 1e0 a double."""
    text = text.replace("_", "")
    whole, dot, scale = text.lstrip("-").partition(".")
    if "e" in text.lower():
        kind = DOUBLE
    elif dot:
        kind = kinds.decimal(max(len(whole.lstrip("0")) + len(scale), 1), len(scale))
    else:
        kind = INTEGER if -_LARGEST - 1 <= int(text) <= _LARGEST else BIGINT
    return Value(f"CAST({literal(text)} AS {duck(kind)})", kind)


def _interval(node: exp.Interval) -> Value:
    number, unit = node.this, node.args.get("unit")
    word = unit.name.upper() if unit is not None else ""
    if not (isinstance(number, exp.Literal) and number.name.lstrip("-").isdigit()) or word not in (*_DAY_UNITS, "MONTH", "YEAR"):
        raise unknown(f"the interval {node.sql('trino')}")
    return Value(f"INTERVAL ({number.name}) {word}", DAYS if word in _DAY_UNITS else MONTHS)
