"""Recursive tables that nothing ends: a batch would make rows until its memory or its time is over."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.duckdb.answers import Tree
from language.dialects.duckdb.syntax_tree import nodes_in
from language.dialects.duckdb.text import QueryText
from language.sql.problems import QueryProblem

_CONDITIONS = ("where_clause", "having", "qualify", "condition", "using_columns")
_LIMITING = ("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "TABLE_FUNCTION")  # unnest of an empty list ends it too


def endless_tables(query: QueryText, tree: Tree) -> Iterator[QueryProblem]:
    """Those of WITH RECURSIVE … UNION ALL whose recursive part reads them, and has neither a condition nor a limit.

    Whether a condition comes to hold is not asked.
    """
    for node in nodes_in(tree) if "recursive" in query.text.lower() else ():
        if node.get("type") == "RECURSIVE_CTE_NODE" and node.get("union_all") and _goes_on(node):
            name = str(node["cte_name"])
            cause = f"`{name}` never ends: nothing in its recursive part says when there are no more rows"
            remedy = "add a condition there, such as WHERE n < 100, or write UNION without ALL where the same rows come again"
            yield QueryProblem(*(query.find(name) or query.first_word()), cause, remedy)


def _goes_on(node: Tree) -> bool:
    inside = list(nodes_in(node["right"]))
    reads = any(str(each.get("table_name", "")).lower() == str(node["cte_name"]).lower() for each in inside)
    return reads and not any(_bounds(each) for each in inside)


def _bounds(node: Tree) -> bool:
    """Whether a part of a query may have fewer rows than what it reads."""
    kind, name = node.get("type"), str(node.get("function_name", "")).lower()
    fewer = kind in _LIMITING or node.get("setop_type") in ("EXCEPT", "INTERSECT") or node.get("ref_type") == "NATURAL"
    return fewer or name == "unnest" or any(node.get(key) for key in _CONDITIONS)
