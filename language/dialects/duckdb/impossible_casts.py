"""Values that DuckDB would make others of and never can: it says so at the first row that has one, in every batch."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.duckdb.constants import no_text_of
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.plan_casts import NOWHERE, Casts
from language.dialects.duckdb.query import DuckDBQuery
from language.dialects.duckdb.syntax_tree import nodes_in
from language.dialects.duckdb.text import Place
from language.dialects.duckdb.types import sql_type
from language.dialects.duckdb.wording import extent, node_at
from language.sql.problems import QueryProblem


def impossible_casts(query: DuckDBQuery, casts: Casts, engine: Engine) -> Iterator[QueryProblem]:
    """casts: of the query's plan."""
    for (source, target, at), cast in sorted(casts.types.items(), key=lambda each: each[0]):
        if not engine.values.casts(cast.source, cast.target):
            cause = f"this is {source} where {target} is wanted, which it never becomes"
            yield QueryProblem(*_place(query, at, cast.column), cause, _remedy(query, target, cast.at))
    wrong = sorted(each for each in casts.texts if not engine.values.reads(*each[:2]))
    written = _written_casts(query) if wrong else set()  # which are constants, and need not be reached
    for text, target, at in wrong:
        if (at, target) not in written:
            place = query.text.word(at) if at < NOWHERE else query.text.first_word()
            yield QueryProblem(*place, *no_text_of(text, target))


def _written_casts(query: DuckDBQuery) -> set[tuple[int, str]]:
    """The places of literals that the text itself casts, with the types."""
    casts = (node for node in nodes_in(query.tree) if node.get("class") == "CAST" and node["child"].get("class") == "CONSTANT")
    return {(node["child"].get("query_location", NOWHERE), sql_type(node["cast_type"])) for node in casts}


def _remedy(query: DuckDBQuery, target: str, at: int) -> str:
    node = node_at(query.tree, at) if at < NOWHERE else None
    if node is not None and node["class"] == "CAST" and sql_type(node["cast_type"]) == target:
        return f"no CAST makes a {target} of it: write an expression that does, or the type that it has"
    return "compare it with something" if target == "BOOLEAN" else "bring both to one type, as by CAST(… AS VARCHAR)"


def _place(query: DuckDBQuery, at: int, column: str) -> Place:
    """column: the name of what is cast; of what USING names alone no place is told."""
    if at < NOWHERE:
        node = node_at(query.tree, at)
        return extent(query.text, node, at) if node is not None else query.text.path(at)
    for name, join, _ in query.said.using:
        using = query.text.find("using", join) if name == column.lower() else None
        if using is not None:
            return query.text.find(name, using[1]) or using
    return query.text.first_word()
