"""Where a mistake stands of which DuckDB tells no place: at the smallest part of the text without which it does not say so."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.duckdb.answers import EngineError, Tree
from language.dialects.duckdb.engine import Engine, Tables
from language.dialects.duckdb.syntax_tree import nodes_in
from language.dialects.duckdb.text import Place, QueryText

MOST = 200  # parts that are tried


def located(query: QueryText, error: EngineError, tables: Tables, engine: Engine) -> tuple[Place, bool] | None:
    """The place, and whether all is well without it; None where it takes more than one part. Each is tried by NULL in its place."""
    other_mistake: Place | None = None
    for _, _, (start, end) in sorted((kind, end - start, (start, end)) for kind, (start, end) in _parts(query, engine))[:MOST]:
        try:
            engine.bind(f"{query.text[:start]}NULL{query.text[end:]}", tables)
        except EngineError as other:
            if other.kind not in ("parser", "syntax") and other.message != error.message:
                other_mistake = other_mistake or (start, end)
            continue
        return (start, end), True
    return (other_mistake, False) if other_mistake else None


def _parts(query: QueryText, engine: Engine) -> Iterator[tuple[int, Place]]:
    """Literals, columns and calls, as far as the tree has their places; the likelier kind first."""
    tree: Tree = engine.tree(query.text)
    for node in nodes_in(tree):
        at = node.get("query_location")
        if at is None:
            continue
        if node.get("class") == "CONSTANT":
            yield 0, query.word(at)
        elif node.get("class") == "COLUMN_REF":
            yield 1, query.path(at)
        elif node.get("class") in ("FUNCTION", "WINDOW") and (call := query.call(at)):
            yield 2, call
