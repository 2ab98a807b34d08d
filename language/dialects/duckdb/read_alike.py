"""A query's tree as sqlglot makes it, where DuckDB's own parser takes it for the same: what is written over goes by the one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.engine import engine
from language.sql.called_query import CalledQuery
from language.sql.dialect import sqlglot_dialect
from language.text.diagnostics import Problem

_OPERATORS = (exp.Binary, exp.Not, exp.Neg, exp.Between, exp.In)
_DEFAULTS = {"null_order": "NULLS LAST", "type": "ASCENDING"}  # of ORDER BY


def tree(query: CalledQuery) -> exp.Query:
    """Raises Problem where DuckDB reads the text otherwise."""
    found = query.tree
    if _meaning(query.span.text) != _meaning(_apart(found)):
        cause = "this query is not read alike by DuckDB and by what writes it over"
        raise Problem(query.first_word, cause, "put parentheses around what belongs together, or write it by plainer words")
    return found


def _apart(found: exp.Query) -> str:
    """The text of a tree, with parentheses around each operator."""
    copied = found.copy()
    for node in [*copied.walk()]:
        if isinstance(node, _OPERATORS) and isinstance(node.parent, _OPERATORS):
            node.replace(exp.Paren(this=node.copy()))
    return copied.sql(sqlglot_dialect("duckdb"), normalize_functions=False, comments=False)


def _meaning(text: str) -> Any:
    """What DuckDB's parser makes of a text; None where it does not read it."""
    try:
        return _plain(engine().tree(text))
    except EngineError:
        return None


def _plain(value: Any) -> Any:
    """A part of DuckDB's tree without places, and with one form for what may be written in two."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind, children = value.get("type"), value.get("children") or []
    if kind == "OPERATOR_NOT" and children[0].get("type") == "OPERATOR_IS_NULL":
        value = {**value, "type": "OPERATOR_IS_NOT_NULL", "children": children[0]["children"]}
    elif (length := _length(value)) is not None:
        return {"interval": length, "alias": value.get("alias")}
    return {
        key: _DEFAULTS.get(key) if each == "ORDER_DEFAULT" else _plain(each) for key, each in value.items() if key != "query_location"
    }


def _length(value: dict[str, Any]) -> str | None:
    """An interval as one text, '1 day'; None of what is none, or is no constant."""
    name = str(value.get("function_name") or "")
    if name.startswith("to_") and value.get("class") == "FUNCTION":
        numbers = [*_constants(value)]
        return f"{numbers[0]} {name[3:].rstrip('s')}" if len(numbers) == 1 else None
    if value.get("class") == "CAST" and value["cast_type"] == {"id": "INTERVAL"}:
        texts = [*_constants(value)]
        return texts[0].lower().rstrip("s") if len(texts) == 1 else None
    return None


def _constants(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value.get("class") == "CONSTANT":
        yield str(value["value"].get("value"))
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _constants(each)
