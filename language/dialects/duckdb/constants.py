"""Constant parts of a query that have no value: DuckDB says so at the first row only, in every batch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from language.dialects.duckdb.answers import EngineError, Tree
from language.dialects.duckdb.catalogue import IMPURE
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.plan_casts import Casts, Kind
from language.dialects.duckdb.recursion import deep_recursion
from language.dialects.duckdb.syntax_tree import nodes_in
from language.dialects.duckdb.text import Place, QueryText
from language.dialects.duckdb.types import sql_type
from language.dialects.duckdb.wording import extent, first_line
from language.sql.problems import QueryProblem
from language.sql.query import BATCH_BOUNDS

_COMPUTED = frozenset(("CAST", "FUNCTION", "OPERATOR", "COMPARISON", "CONJUNCTION", "BETWEEN", "CASE", "COLLATE"))
_LITERAL = r'\{"class":"CONSTANT"'
# A part of a query's JSON that may be constant and is more than a literal; text in brackets is not told from a list's.
_OF_LITERALS = re.compile(
    rf'"(?:left|input|when_expr)":{_LITERAL}|"child":\{{"class":"CAST"'
    rf'|"child":{_LITERAL}(?![^{{}}]*"value":\{{"type":\{{"id":"VARCHAR"\}})'
    r'|"children":\[(?:(?!"class":"(?!CONSTANT"|CAST"))[^\[\]])+\]'
)
_OF_A_LITERAL = re.compile(rf'"child":{_LITERAL}')
_PLAIN = (None, "CONSTANT")  # a literal, and what is no expression, such as the list of a call's arguments
_SIZED = frozenset(("repeat", "lpad", "rpad", "list_resize", "array_resize", "bitstring"))  # which may take all memory there is
_MOMENTS = frozenset(("now", "today", "tomorrow", "yesterday"))


def constant_problems(query: QueryText, tree: Tree, engine: Engine, casts: Casts | None = None) -> Iterator[QueryProblem]:
    """tree: the query's own.  casts: of its plan, if it has one: which texts become other types, and calls that give such.

    What need not be reached, such as the branch of a CASE, is left out: it may never be computed.
    """
    texts_read = casts is not None and all(engine.values.reads(text, target) for text, target, _ in casts.texts)
    if not _may_compute(engine.serialized_tree(query.text), query.text, but_texts=texts_read):
        return
    parts = Parts(engine)
    with deep_recursion():
        found = [*parts.within(tree["statements"]), *parts.cast(tree, casts.calls if casts is not None else {})]
        for node, refused in zip(found, engine.values.without_value(found), strict=True):
            if refused:
                yield _problem(query, *parts.smallest(node, refused))


def _may_compute(tree: str, text: str, *, but_texts: bool) -> bool:
    """Whether a text may have a constant part that is more than a literal; told cheaply.  but_texts: or a text that is cast."""
    if not tree or "[" in text or "]" in text or _OF_LITERALS.search(tree):
        return True
    return not but_texts and _OF_A_LITERAL.search(tree) is not None


def no_text_of(text: str, target: str) -> tuple[str, str]:
    """Cause and remedy where a text is no value of a type."""
    moment = text.lower() in _MOMENTS
    return f"this text is no {target}", "write batch_end(), the moment for which the batch is made" if moment else "correct the text"


def _problem(query: QueryText, node: Tree, refused: str) -> QueryProblem:
    """The problem of the smallest part that has no value."""
    child = node.get("child", {}) if node["class"] == "CAST" else {}
    text = child.get("value", {}).get("value", "") if child.get("class") == "CONSTANT" else None
    if isinstance(text, str) and "query_location" in child:
        return QueryProblem(*query.word(child["query_location"]), *no_text_of(text, sql_type(node["cast_type"])))
    why = first_line(EngineError("conversion", refused))
    return QueryProblem(*place_of(query, child or node), f"this has no value: {why}", "write what has one")


def place_of(query: QueryText, node: Tree) -> Place:
    at = node.get("query_location", 0)
    return (query.call(at) if node["class"] == "FUNCTION" and not node.get("is_operator") else None) or extent(query, node, at)


class Parts:
    """Finds the largest parts of a tree that are constant and more than a literal."""

    def __init__(self, engine: Engine) -> None:
        self._varying, self._engine = _varying(engine), engine
        self._known: dict[int, bool] = {}  # by a node's id, whether it is constant

    def within(self, value: Any) -> Iterator[Tree]:
        if isinstance(value, list):
            for each in value:
                yield from self.within(each)
        elif isinstance(value, dict):
            kind = value.get("class")
            if kind in _COMPUTED and self.is_constant(value):
                yield value
            elif kind != "CONSTANT":
                for child in self._reached(value):
                    yield from self.within(child)

    def cast(self, tree: Tree, casts: Mapping[tuple[int, str], Kind]) -> Iterator[Tree]:
        """The constant ones at these places, each as the type."""
        calls = dict[int, Tree]()
        for node in self.nodes(tree["statements"]) if casts else ():
            if node.get("class") == "FUNCTION":
                calls.setdefault(node.get("query_location", 0), node)
        for (at, _), target in casts.items():
            if at in calls and self.is_constant(calls[at]):
                yield {"class": "CAST", "type": "OPERATOR_CAST", "child": calls[at], "cast_type": target}

    def smallest(self, node: Tree, refused: str) -> tuple[Tree, str]:
        """The smallest part of a constant one that has no value either, with what DuckDB says of it."""
        inner = [part for child in self._reached(node) for part in self.within(child)]
        for part, why in zip(inner, self._engine.values.without_value(inner), strict=True):
            if why:
                return self.smallest(part, why)
        return node, refused

    def is_constant(self, value: Any) -> bool:
        if not isinstance(value, (dict, list)):
            return True
        if id(value) not in self._known:
            self._known[id(value)] = self._computed(value)
        return self._known[id(value)]

    def _computed(self, value: Tree | list[Any]) -> bool:
        if isinstance(value, list):
            return all(map(self.is_constant, value))
        kind = value.get("class")
        if kind not in _COMPUTED and kind not in _PLAIN:
            return False
        return str(value.get("function_name", "")).lower() not in self._varying and all(map(self.is_constant, value.values()))

    def nodes(self, value: Any) -> Iterator[Tree]:
        """Every node that is computed whatever comes of the rest."""
        if isinstance(value, list):
            for each in value:
                yield from self.nodes(each)
        elif isinstance(value, dict):
            yield value
            for child in self._reached(value):
                yield from self.nodes(child)

    def _reached(self, node: Tree) -> Iterator[Any]:
        """What of a node is computed whatever comes of the rest."""
        kind, children = node.get("type"), [child for child in node.values() if isinstance(child, (dict, list))]
        if kind == "CASE_EXPR":
            first, *others = node["case_checks"]
            yield first["when_expr"]
            yield from self._apart([first["then_expr"], others, node.get("else_expr")])
        elif kind == "OPERATOR_COALESCE":
            yield node["children"][0]
            yield from self._apart(node["children"][1:])
        elif kind == "OPERATOR_TRY":
            yield from self._apart(children)
        else:
            yield from children

    def _apart(self, value: Any) -> Iterator[Tree]:
        """What DuckDB computes before the expression in which it stands: subqueries, aggregates, windows."""
        for node in nodes_in(value):
            aggregate = (
                node.get("class") == "FUNCTION" and str(node.get("function_name", "")).lower() in self._engine.catalogue.aggregates
            )
            if aggregate or node.get("class") in ("SUBQUERY", "WINDOW"):
                yield node


@cache
def _varying(engine: Engine) -> frozenset[str]:
    """Functions that are not computed: what they give is no function of their arguments alone, or takes too much."""
    impure = (engine.catalogue.impure_functions | IMPURE) - BATCH_BOUNDS
    return frozenset(("error", *impure, *engine.catalogue.aggregates, *engine.catalogue.table_functions, *_SIZED))
