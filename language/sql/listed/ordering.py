"""ORDER BY, LIMIT and OFFSET: which columns there are to order by, and what an engine refuses of it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from language.sql.listed.calls import is_aggregate
from language.sql.listed.clauses import OF_RESULT
from language.sql.listed.expressions import Expressions
from language.sql.listed.grouping import Grouped, Spelled, spelled_alike
from language.sql.scope import Typed
from shared_metadata.program.lineage import Use


def of_select(node: exp.Select, expressions: Expressions, found: Mapping[str, Typed], grouped: Grouped) -> None:
    """found: the columns of the SELECT, by name."""
    distinct, hides = node.args.get("distinct"), node.args.get("having") is not None and expressions.rules.having_hides
    asked = node.args.get("order") is not None and (hides or distinct is not None)
    shown = {spelled_alike(item.unalias(), expressions) for item in node.expressions} if asked else set[Spelled]()
    if distinct is not None:
        for item, typed in zip(node.expressions, found.values(), strict=False):
            expressions.comparable(item, typed)
    for part in _parts(node):
        if _is_number(part, node, expressions, found):
            continue
        named = isinstance(part, exp.Column) and len(part.parts) == 1 and part.name.lower() in found
        typed = found[part.name.lower()] if named else expressions.under(Use.ORDER, part)
        expressions.ordered(part, typed)
        if named:
            continue
        grouped.check(part, found)
        if hides and _hidden(part, expressions, shown):
            expressions.findings.problem(part, "behind HAVING, only aggregates that are selected have an order", "select it too")
        if distinct is not None and not _is_shown(part, expressions, shown):
            cause = "of rows that are made one by DISTINCT, only what is selected has an order"
            expressions.findings.problem(part, cause, "select it too, or order in a query around this one")
    _check_cut(node, expressions)


def _is_shown(part: exp.Expr, expressions: Expressions, shown: set[Spelled]) -> bool:
    """Whether it is one of the SELECT's items, or, where it may be, made of them."""
    if spelled_alike(part, expressions) in shown:
        return True
    return (
        expressions.rules.distinct_computed
        and not isinstance(part, exp.Column)
        and all(_is_shown(inner, expressions, shown) for inner in part.iter_expressions() if not isinstance(inner, exp.Literal))
    )


def _hidden(part: exp.Expr, expressions: Expressions, shown: set[Spelled]) -> bool:
    """Whether it has an aggregate that is no item of the SELECT."""
    calls = [each for each in part.walk() if is_aggregate(expressions.rules, expressions.findings, each)]
    return any(spelled_alike(each, expressions) not in shown for each in calls)


def of_result(node: exp.SetOperation, expressions: Expressions, found: Mapping[str, Typed]) -> None:
    """expressions: of the columns that the set operation gives."""
    with expressions.within(OF_RESULT):
        for part in _parts(node):
            if not _is_number(part, node, expressions, found):
                expressions.ordered(part, expressions.under(Use.ORDER, part))
    _check_cut(node, expressions)


def _parts(node: exp.Expr) -> list[exp.Expr]:
    order = node.args.get("order")
    return [part.this for part in order.expressions] if order is not None else []


def _is_number(part: exp.Expr, node: exp.Expr, expressions: Expressions, found: Mapping[str, Typed]) -> bool:
    """Whether a column is named by its number; tells of one that there is not."""
    if not (isinstance(part, exp.Literal) and part.is_int):
        return False
    if not 0 < int(part.name) <= len(found):
        expressions.findings.problem(part, f"ORDER BY {part.name} names no column: there are {len(found)}", "name one of them")
    else:
        expressions.ordered(part, [*found.values()][int(part.name) - 1])
    return True


def _check_cut(node: exp.Expr, expressions: Expressions) -> None:
    for name in ("limit", "offset"):
        clause = node.args.get(name)
        if clause is None:
            continue
        number = clause.args.get("count") if isinstance(clause, exp.Fetch) else clause.expression
        options = clause.args.get("limit_options") if isinstance(clause, exp.Fetch) else None
        every = isinstance(number, exp.Var) and number.name.upper() == "ALL"
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            expressions.findings.problem(clause, "this is not known here", "write LIMIT with a number of rows")
        elif number is not None and not every and not (isinstance(number, exp.Literal) and number.is_int):
            expressions.findings.problem(clause, f"{name.upper()} takes a number that is written out", f"write {name.upper()} 10")
