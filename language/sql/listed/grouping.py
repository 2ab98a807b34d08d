"""GROUP BY: by what rows are grouped, and that what is neither among it nor within an aggregate is refused."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from language.sql.listed.calls import is_aggregate
from language.sql.listed.expressions import Expressions
from language.sql.scope import Scope, Typed
from shared_metadata.program.lineage import Use


def read(node: exp.Select, expressions: Expressions, found: Mapping[str, Typed]) -> None:
    """found: the columns of the SELECT, by name."""
    group, expressions.use = node.args.get("group"), Use.GROUP
    grouped: set[str] = set()
    for part in group.expressions if group is not None else ():
        item = _meant(part, node, expressions)
        if item is not None:
            expressions.findings.used(found[item.alias_or_name.lower()].refs, Use.GROUP, item)
            part = item.unalias()
        else:
            expressions.typed(part)
        grouped.add(_spelled_alike(part, expressions))
    expressions.use = Use.VALUE
    if group is None and not any(aggregates(expressions, item) for item in node.expressions):
        return
    for item in node.expressions:
        _check(expressions, item.unalias(), grouped)


def _meant(part: exp.Expr, node: exp.Select, expressions: Expressions) -> exp.Expr | None:
    """The column of the SELECT that GROUP BY names by its number, or, where it may, by an alias that no table has."""
    items: list[exp.Expr] = node.expressions
    if isinstance(part, exp.Literal) and part.is_int and 0 < int(part.name) <= len(items):
        return items[int(part.name) - 1]
    named = expressions.rules.items_named and isinstance(part, exp.Column) and len(part.parts) == 1
    if named and not expressions.scope.find((), part.name.lower()):
        return next((item for item in items if item.alias.lower() == part.name.lower()), None)
    return None


def aggregates(expressions: Expressions, item: exp.Expr) -> bool:
    """Whether it aggregates itself: not by a window, and not in a query within."""
    calls = item.walk(prune=lambda part: isinstance(part, exp.Query))
    return any(is_aggregate(expressions.rules, expressions.findings, part) and not _over_a_window(part) for part in calls)


def _check(expressions: Expressions, node: exp.Expr, grouped: set[str]) -> None:
    aggregate = is_aggregate(expressions.rules, expressions.findings, node)
    if _spelled_alike(node, expressions) in grouped or aggregate or isinstance(node, exp.Query):
        return
    if isinstance(node, (exp.Column, exp.Star)):
        cause = f"`{expressions.findings.words(node)}` is neither in GROUP BY nor within an aggregate"
        expressions.findings.problem(node, cause, "group by it, or aggregate it, as by max(…)")
        return
    for part in [node.this] if isinstance(node, exp.Filter) else node.iter_expressions():
        _check(expressions, part, grouped)


def _over_a_window(call: exp.Expr) -> bool:
    around = call.parent.parent if isinstance(call.parent, exp.Filter) else call.parent
    return isinstance(around, exp.Window)


def _spelled_alike(node: exp.Expr, expressions: Expressions) -> str:
    """The expression's text, the same whether a column is named with its table or without, in quotes or not."""
    scope: Scope = expressions.scope

    def short(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Column) and len(part.parts) > 1 and len(scope.find((), part.name.lower())) == 1:
            return exp.column(exp.to_identifier(part.name.lower(), quoted=True))
        return exp.to_identifier(part.name.lower(), quoted=True) if isinstance(part, exp.Identifier) else part

    return node.copy().transform(short).sql(expressions.findings.query.dialect).lower()
