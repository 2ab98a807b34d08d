"""GROUP BY: by what rows are grouped, and that what is neither among it nor within an aggregate is refused."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlglot import exp

from language.sql.listed.calls import is_aggregate, name_of
from language.sql.listed.clauses import GROUPING
from language.sql.listed.expressions import Expressions
from language.sql.scope import Typed
from shared_metadata.program.lineage import Use

_SETS = (exp.Rollup, exp.Cube, exp.GroupingSets)
Kind = tuple[type[exp.Expr], str]
Spelled = tuple[Kind, Hashable]


@dataclass(frozen=True)
class Grouped:
    """texts: what rows are grouped by; None where they are not."""

    expressions: Expressions
    texts: frozenset[Spelled] | None

    @cached_property
    def _kinds(self) -> frozenset[Kind]:
        return frozenset(kind for kind, _ in self.texts or ())

    def check(self, node: exp.Expr, named: Mapping[str, Typed], star: exp.Expr | None = None) -> None:
        """Tells of a column that rows are not grouped by.

        named: those that stand for columns of the SELECT.  star: that brings it.
        """
        rules, findings = self.expressions.rules, self.expressions.findings
        if self.texts is None:
            for part in node.walk(prune=lambda part: isinstance(part, exp.Query)):
                if isinstance(part, exp.Func) and name_of(rules, findings, part) in rules.of_groups:
                    findings.problem(part, "rows are not grouped here", "write GROUP BY")
            return
        if isinstance(node, exp.Query) or self._is_key(node):
            return
        if is_aggregate(rules, findings, node) and not _over_a_window(node):
            return
        if isinstance(node, exp.Column) and len(node.parts) == 1 and node.name.lower() in named:
            return
        if isinstance(node, exp.Column):
            brought = star is not None and star.is_star
            cause = f"`{node.name.lower() if brought else findings.words(node)}` is neither in GROUP BY nor within an aggregate"
            findings.problem(star if star is not None and brought else node, cause, "group by it, or aggregate it, as by max(…)")
            return
        if name_of(rules, findings, node) in rules.of_groups:
            self._check_of_groups(node)
            return
        inner = isinstance(node, (exp.Filter, exp.WithinGroup)) and is_aggregate(rules, findings, node.this)
        for part in [node.this] if inner else node.iter_expressions():
            self.check(part, named)

    def _is_key(self, node: exp.Expr) -> bool:
        return _kind(node) in self._kinds and spelled_alike(node, self.expressions) in (self.texts or ())

    def _check_of_groups(self, node: exp.Expr) -> None:
        for part in node.expressions:
            if spelled_alike(part, self.expressions) not in (self.texts or ()):
                self.expressions.findings.problem(node, "rows are not grouped by this", "name a column of GROUP BY")


def read(node: exp.Select, expressions: Expressions, found: Mapping[str, Typed]) -> Grouped:
    """found: the columns of the SELECT, by name."""
    group, having, order = (node.args.get(part) for part in ("group", "having", "order"))
    texts = set[Spelled]()
    expressions.use = Use.GROUP
    if group is not None and group.args.get("all") and expressions.rules.groups_all:
        texts = {spelled_alike(item.unalias(), expressions) for item in node.expressions if not aggregates(expressions, item)}
    elif group is not None and (group.args.get("all") is not None or group.args.get("totals")):
        expressions.findings.problem(node, "such a GROUP BY is not known here", "name what rows are grouped by")
    with expressions.within(GROUPING):
        for part in group.expressions if group is not None else ():
            for key in _keys(part, expressions):
                texts.add(spelled_alike(_key(key, node, expressions, found), expressions))
    expressions.use = Use.VALUE
    parts = [*node.expressions, *(order.expressions if order is not None else ())]
    whole = group is None and having is None and not any(aggregates(expressions, item) for item in parts)
    return Grouped(expressions, None if whole else frozenset(texts))


def makes_nulls(node: exp.Select) -> bool:
    """Whether columns that rows are grouped by are NULL in some groups."""
    group = node.args.get("group")
    return group is not None and (any(isinstance(part, _SETS) for part in group.expressions) or _older_sets(group))


def _older_sets(group: exp.Expr) -> bool:
    return any(group.args.get(part) for part in ("grouping_sets", "cube", "rollup"))


def _keys(part: exp.Expr, expressions: Expressions) -> Iterator[exp.Expr]:
    """What an element of GROUP BY groups by: each column of ROLLUP, CUBE, GROUPING SETS."""
    if isinstance(part, exp.Tuple) and expressions.rules.lists_grouped:
        yield from part.expressions
        return
    if isinstance(part, exp.Paren):
        yield part.this
        return
    if not isinstance(part, _SETS):
        yield part
        return
    for each in part.expressions:
        inner = each.expressions if isinstance(each, (exp.Tuple, *_SETS)) else [each.this if isinstance(each, exp.Paren) else each]
        for key in inner:
            if expressions.rules.sets_of_columns and not isinstance(key, exp.Column):
                expressions.findings.problem(part, "ROLLUP, CUBE and GROUPING SETS are of columns", "name a column of a query below")
            else:
                yield key


def _key(part: exp.Expr, node: exp.Select, expressions: Expressions, found: Mapping[str, Typed]) -> exp.Expr:
    item = _meant(part, node, expressions)
    if item is not None:
        of_groups = (name_of(expressions.rules, expressions.findings, part) in expressions.rules.of_groups for part in item.walk())
        if aggregates(expressions, item) or any(of_groups):
            expressions.findings.problem(part if isinstance(part, exp.Column) else item, *(GROUPING.aggregates or ("", "")))
        elif item.find(exp.Window) is not None:
            expressions.findings.problem(item, *(GROUPING.windows or ("", "")))
        typed = found[item.alias_or_name.lower()]
        expressions.findings.used(typed.refs, Use.GROUP, item)
        part = item.unalias()
    else:
        typed = expressions.typed(part)
    expressions.comparable(part, typed)
    return part


def _meant(part: exp.Expr, node: exp.Select, expressions: Expressions) -> exp.Expr | None:
    """The column of the SELECT that GROUP BY names by its number, or, where it may, by an alias that no table has."""
    items: list[exp.Expr] = node.expressions
    if isinstance(part, exp.Literal) and part.is_int:
        if 0 < int(part.name) <= len(items) and not items[int(part.name) - 1].is_star:
            return items[int(part.name) - 1]
        if not any(item.is_star for item in items):
            cause = f"GROUP BY {part.name} names no column: there are {len(items)}"
            expressions.findings.problem(part, cause, "name one of them")
        return None
    named = expressions.rules.items_named and isinstance(part, exp.Column) and len(part.parts) == 1
    if named and not expressions.scope.find((), part.name.lower()):
        return next((item for item in items if item.alias.lower() == part.name.lower()), None)
    return None


def aggregates(expressions: Expressions, item: exp.Expr) -> bool:
    """Whether it aggregates itself: not by a window, and not in a query within."""
    calls = item.walk(prune=lambda part: isinstance(part, exp.Query))
    return any(is_aggregate(expressions.rules, expressions.findings, part) and not _over_a_window(part) for part in calls)


def _over_a_window(call: exp.Expr) -> bool:
    node, around = call, call.parent
    while isinstance(around, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)) and node.arg_key == "this":
        node, around = around, around.parent
    return isinstance(around, exp.Window) and node.arg_key == "this"


def _kind(node: exp.Expr) -> Kind:
    """What tells most expressions apart before they are spelled; calls are of one class, so it has their names."""
    return type(node), node.name.lower() if isinstance(node, exp.Anonymous) else ""


def spelled_alike(node: exp.Expr, expressions: Expressions) -> Spelled:
    """The expression's kind and parts: the same whether a column is named with its table or without, a name in quotes or not, a word
    in capitals or not; texts are what they are."""
    find = expressions.scope.find

    def spelled(part: Any) -> Hashable:
        if isinstance(part, exp.Column):
            names = tuple(each.name.lower() for each in part.parts)
            return names[-1:] if len(find((), names[-1])) == 1 else names
        if isinstance(part, exp.Literal):
            return part.is_string, part.name
        if isinstance(part, exp.Identifier):
            return part.name.lower()
        if isinstance(part, exp.Expr):
            return type(part), *((name, spelled(inner)) for name, inner in part.args.items() if inner not in (None, False, []))
        if isinstance(part, list):
            return tuple(map(spelled, part))
        return part.lower() if isinstance(part, str) else part

    return _kind(node), spelled(node)
