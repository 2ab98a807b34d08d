"""Constants with which a call fails whatever its other arguments are: a time zone, a part of a moment, a format."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.duckdb.answers import EngineError, Tree
from language.dialects.duckdb.constants import Parts, place_of
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.plan_casts import NOWHERE
from language.dialects.duckdb.recursion import deep_recursion
from language.dialects.duckdb.said import Said
from language.dialects.duckdb.syntax_tree import nodes_in
from language.dialects.duckdb.text import QueryText
from language.dialects.duckdb.types import sample
from language.dialects.duckdb.wording import first_line
from language.sql.problems import QueryProblem

# The first argument of these decides alone, or with the types of the others: one sample of these tells.
_FIRST_DECIDES = frozenset(("timezone", "date_diff", "datediff", "date_sub", "datesub", "format", "printf"))


def constant_arguments(query: QueryText, tree: Tree, said: Said, plan: Tree | None, engine: Engine) -> Iterator[QueryProblem]:
    """plan: the query's, which tells the types of what is not constant."""
    if plan is None or not any(call.name in _FIRST_DECIDES for call in said.calls):
        return
    with deep_recursion():
        calls = [*_sampled(tree, plan, engine)]
        for (node, _), refused in zip(calls, engine.values.refusals([text for _, text in calls]), strict=True):
            if refused:
                cause = f"this has no value: {first_line(EngineError('conversion', refused))}"
                yield QueryProblem(*place_of(query, node), cause, "write what has one")


def _sampled(tree: Tree, plan: Tree, engine: Engine) -> Iterator[tuple[Tree, str]]:
    """Each call that is reached in every row and has a constant first argument: in SQL, with a sample of what is not constant."""
    bound = {(n["query_location"], n["name"]): n for n in nodes_in(plan) if n.get("expression_class") == "BOUND_FUNCTION"}
    parts = Parts(engine)
    for node in parts.nodes(tree["statements"]):
        name, at = str(node.get("function_name", "")).lower(), node.get("query_location", 0)
        if name not in _FIRST_DECIDES or at >= NOWHERE or (at, name) not in bound:
            continue
        children, kinds = node.get("children", []), bound[at, name]["arguments"]
        constant = [parts.is_constant(child) for child in children]
        if not children or len(children) != len(kinds) or not constant[0]:
            continue
        pairs = zip(children, kinds, constant, strict=True)
        texts = [engine.values.written(child) if fixed else sample(kind) for child, kind, fixed in pairs]
        if "NULL" not in texts:
            yield node, f"{name}({', '.join(texts)})"
