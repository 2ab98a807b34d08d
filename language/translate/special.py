"""Expressions that have a rule of their own in place of forms: cases, casts, lists, windows, and queries within."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.meanings.kinds import EXACT, FLOATS, by_cast, holds
from language.sql.scope import UNKNOWN
from language.translate.asked import gives
from language.translate.comparing import comparable, groups, ordered
from language.translate.pieces import BOOLEAN, Piece, settled
from shared_metadata.program.type_names import TypeName

if TYPE_CHECKING:
    from language.translate.expressions import Expressions

_FRAMES = frozenset(("UNBOUNDED", "CURRENT ROW", ""))
_IN_WINDOWS = frozenset(("this", "partition_by", "order", "spec", "over"))
_CONSTANTS = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d{1,6})?)?"),
}


def together(of: Expressions, node: exp.Expr, pieces: Sequence[Piece], around: str) -> tuple[TypeName, TypeName] | None:
    """The type of several values as one, here and there; None where that was told.  around: the question, with {} for the values."""
    if any(piece.kind is None for piece in pieces):
        return None
    known = [piece.kind for piece in pieces if piece.kind is not None and piece.kind != UNKNOWN]
    if not known:
        of.tell(node, "this is NULL, of no type", "CAST one NULL to the type that it is to have")
        return None
    if len({*known}) > 1 and not all(kind.word in (*EXACT, *FLOATS) for kind in known):
        of.tell(node, f"this is {' or '.join(sorted({*map(str, known)}))}", "CAST all to one type")
        return None
    texts, kinds = list[str](), list[str]()
    for piece in pieces:
        if not piece.text:
            kinds.append(str(piece.kind))
        texts.append(piece.text or f"_{len(kinds)}")
    here, there = (gives(name, around.format(*texts), tuple(kinds)) for name in (of.source.name, of.target.name))
    if here is None or there is None or not (here == there or by_cast(there, here)):
        of.tell(node, f"this is {here or 'of no known type'} here and {there or 'of no known type'} there", "CAST all to one type")
        return None
    return here, there


def case(of: Expressions, node: exp.Case | exp.If) -> Piece:
    whens = node.args["ifs"] if isinstance(node, exp.Case) else [node]
    default = node.args.get("default") or node.args.get("false")
    base = of.written(node.this) if isinstance(node, exp.Case) and node.this is not None else None
    tests = [of.written(when.this) for when in whens]
    pieces = [of.written(value) for value in (*(when.args["true"] for when in whens), default) if value is not None]
    if any(test.kind is None for test in (*tests, *([base] if base is not None else []))):
        return Piece(node, None)
    if base is not None and not comparable(of, node, base.kind, *(test.kind for test in tests)):
        return Piece(node, None)
    around = "CASE " + " ".join("WHEN TRUE THEN {}" for _ in whens) + (" ELSE {}" if default is not None else "") + " END"
    types = together(of, node, pieces, around)
    if types is None:
        return Piece(node, None)
    made = node.copy()
    for number, when in enumerate(made.args["ifs"] if isinstance(made, exp.Case) else [made]):
        when.set("this", tests[number].node)
        when.set("true", pieces[number].node)
    if default is not None:
        made.set("default" if isinstance(made, exp.Case) else "false", pieces[-1].node)
    if base is not None:
        made.set("this", base.node)
    return Piece(of.brought(made, types[1], types[0]), types[0])


def coalesce(of: Expressions, node: exp.Anonymous) -> Piece:
    pieces = [of.written(part) for part in node.expressions]
    types = together(of, node, pieces, f"coalesce({', '.join('{}' for _ in pieces)})")
    if types is None:
        return Piece(node, None)
    made = exp.Anonymous(this=node.this, expressions=[piece.node for piece in pieces])
    return Piece(of.brought(made, types[1], types[0]), types[0])


def among(of: Expressions, node: exp.In) -> Piece:
    value, query = of.written(node.this), node.args.get("query")
    if value.kind is None or node.args.get("unnest") or not (query is not None or node.expressions):
        return Piece(node, None) if value.kind is None else of.unknown(node)
    this = settled(node.this, value.node, node)
    if query is not None:
        if not _only_filters(node) and not (of.source.declared.among_rows and of.target.declared.among_rows):
            cause = "IN (SELECT …) is not known to be NULL on both sides where NULL is among the values"
            of.tell(node, cause, "compare in a WHERE of its own, or with a LEFT JOIN")
            return Piece(node, None)
        made, columns = of.rows(query, of.scope)
        kinds = [column.kind for column in columns]
        sound = len(kinds) == 1 and kinds[0] is not None and comparable(of, node, value.kind, *kinds)
        return Piece(exp.In(this=this, query=made), BOOLEAN if sound else None)
    pieces = [of.written(part) for part in node.expressions]
    if any(piece.kind is None for piece in pieces):
        return Piece(node, None)
    constant_numbers = all(piece.text and piece.kind is not None and piece.kind.word in EXACT for piece in pieces)
    of_floats = value.kind.word in FLOATS and constant_numbers  # of which none is NaN
    if not of_floats and not comparable(of, node, value.kind, *(piece.kind for piece in pieces)):
        return Piece(node, None)
    return Piece(exp.In(this=this, expressions=[piece.node for piece in pieces]), BOOLEAN)


def _only_filters(node: exp.In) -> bool:
    """Whether it is one of the conditions of a WHERE, as it is or with NOT, so that NULL and FALSE are the same."""
    above = _around(node)
    above = _around(above) if isinstance(above, exp.Not) else above
    while isinstance(above, exp.And):
        above = _around(above)
    return isinstance(above, exp.Where)


def _around(node: exp.Expr) -> exp.Expr | None:
    """What an expression is a part of, beyond its brackets."""
    found = node.parent
    while isinstance(found, exp.Paren):
        found = found.parent
    return found


def cast(of: Expressions, node: exp.Cast) -> Piece:
    words = node.to.sql(of.source.name)
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        return _constant(of, node, gives(of.source.name, f"CAST('2024-01-01' AS {words})", ()))
    inner = of.written(node.this)
    if inner.kind is None:
        return inner
    null = inner.kind == UNKNOWN
    kind = gives(of.source.name, f"CAST({'NULL' if null else '_1'} AS {words})", () if null else (str(inner.kind),))
    pair = (inner.kind.word, kind.word if kind is not None else "")
    known = null or (of.source.casts(*pair) and of.target.casts(*pair))
    if kind is None or not known or holds(kind, "list", "map", "struct", "time", "uuid"):
        cause = f"a CAST of {inner.kind} to {kind or 'this'} is not known to mean the same in {of.title}"
        of.tell(node.this, cause, "compute with it as it is, or CAST by way of a type to which both go alike")
        return Piece(node, None)
    return Piece(of.target.cast(inner.node, str(kind)), kind)


def _constant(of: Expressions, node: exp.Cast, kind: TypeName | None) -> Piece:
    """DATE '2024-01-01', and the same of moments, as every engine reads them alike."""
    word = kind.word if kind is not None else ""
    if word in _CONSTANTS and _CONSTANTS[word].fullmatch(node.this.name):
        return Piece(of.target.cast(node.this.copy(), word), kind)
    if word == "string":
        return Piece(node.this.copy(), kind)
    cause = f"a CAST of this text to {kind or 'this'} is not known to mean the same in {of.title}"
    of.tell(node.this, cause, "write DATE '2024-01-31', TIMESTAMP '2024-01-31 23:59:59', or a number as a number")
    return Piece(node, None)


def window(of: Expressions, node: exp.Window) -> Piece:
    if any(part and name not in _IN_WINDOWS for name, part in node.args.items()) or isinstance(node.this, exp.Filter):
        return of.unknown(node)
    spec = node.args.get("spec")
    if (
        spec is not None
        and spec.args.get("kind") != "ROWS"
        and not {str(spec.args.get(n) or "") for n in ("start", "end")} <= _FRAMES
    ):
        of.tell(node.this, "a frame of RANGE with a distance is not on the list", "write ROWS, or the whole frame")
        return Piece(node, None)
    inner = of.written(node.this, over=True)
    parts = [of.written(part) for part in node.args.get("partition_by") or ()]
    order = node.args.get("order")
    made_order = ordered(of, order) if order is not None else None
    sound = [groups(of, part, piece.kind) for part, piece in zip(node.args.get("partition_by") or (), parts, strict=True)]
    if inner.kind is None or not all(sound) or (order is not None and made_order is None):
        return Piece(node, None)
    made = exp.Window(this=inner.node, partition_by=[part.node for part in parts], order=made_order, over="OVER")
    made.set("spec", spec.copy() if spec is not None else None)
    return Piece(of.brought(made, inner.given or inner.kind, inner.kind), inner.kind)


def some_rows(of: Expressions, node: exp.Filter) -> Piece:
    """An aggregate of some rows; where the other dialect has no FILTER, of a CASE that is NULL for all others."""
    inner, where = of.written(node.this, over=True), of.condition(node.expression.this)
    if inner.kind is None:
        return Piece(node, None)
    made: exp.Expr | None = exp.Filter(this=inner.node, expression=exp.Where(this=where))
    if gives(of.target.name, "count(*) FILTER (WHERE _1)", ("boolean",)) is None:
        made = _of_cases(inner.node, where)
    if made is None:
        return of.unknown(node)
    return Piece(of.brought(made, inner.given or inner.kind, inner.kind), inner.kind)


def _of_cases(call: exp.Expr, where: exp.Expr) -> exp.Expr | None:
    """count(*) ▸ count(CASE WHEN … THEN 1 END), sum(x) ▸ sum(CASE WHEN … THEN x END); None for what is no call of one part."""
    if not isinstance(call, exp.Anonymous) or len(call.expressions) != 1:
        return None
    made = call.copy()
    (part,) = made.expressions
    distinct = isinstance(part, exp.Distinct) and len(part.expressions) == 1
    value = part.expressions[0] if distinct else part
    counted = exp.Literal.number(1) if isinstance(value, exp.Star) else value.copy()
    value.replace(exp.Case(ifs=[exp.If(this=where.copy(), true=counted)]))
    return made


def query(of: Expressions, node: exp.Subquery | exp.Exists) -> Piece:
    made, columns = of.rows(node.this, of.scope)
    if isinstance(node, exp.Exists):
        return Piece(exp.Exists(this=made), BOOLEAN)
    return Piece(exp.Subquery(this=made), columns[0].kind if len(columns) == 1 else None)
