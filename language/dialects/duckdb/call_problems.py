"""Why a call, or an operator, does not take what it is given: with the types, and the CAST that would do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.text import QueryText
from language.dialects.duckdb.wording import LITERALS, extent, node_at
from language.sql.problems import QueryProblem

_CALL = re.compile(r"argument types '(.+?)\((.*)\)'\.")
_OVERLOAD = re.compile(r"^\t(.+?)\((.*)\) -> .*$", re.MULTILINE)
_OPERATORS = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE", "~~~": "GLOB"}


def call_problem(query: QueryText, error: EngineError, at: int, engine: Engine) -> QueryProblem:
    found = _CALL.search(error.message)
    name, kinds = (found[1], _split(found[2])) if found else (error.name, [])
    node = node_at(engine.tree(query.text), at)
    arguments = [_said(query, child) for child in (node or {}).get("children", ())]
    if len(arguments) != len(kinds):
        arguments = [""] * len(kinds)
    place = query.call(at) or extent(query, node, at)
    taken = [f"`{said}` ({kind})" if said else LITERALS.get(kind, kind) for said, kind in zip(arguments, kinds, strict=True)]
    cause = f"`{_OPERATORS.get(name, name)}` does not take {' and '.join(taken) or 'no arguments'}"
    if not name.isidentifier():
        pattern = name in _OPERATORS and kinds[-1] == "INTEGER_LITERAL"
        return QueryProblem(
            *place, cause, "write the pattern as a text, as in '5%'" if pattern else _operands_remedy(arguments, kinds)
        )
    overloads = [_split(each) for _, each in _OVERLOAD.findall(error.message)]
    fitting = [each for each in overloads if len(each) == len(kinds)]
    wrong = [n for n, kind in enumerate(kinds) if fitting and all(each[n] != kind for each in fitting) and kind not in LITERALS]
    if len(fitting) == 1 and wrong:
        return QueryProblem(*place, cause, f"write CAST({arguments[wrong[0]] or '…'} AS {fitting[0][wrong[0]]})")
    shown = ", ".join(f"{name}({', '.join(each)})" for each in overloads[:4])
    return QueryProblem(*place, cause, f"CAST to a type that it takes: {shown}{' …' if len(overloads) > 4 else ''}")


def _operands_remedy(arguments: Sequence[str], kinds: Sequence[str]) -> str:
    """The remedy for an operator: text is cast to what stands beside it, all else to what the writer means."""
    for number, kind in enumerate(kinds):
        other = kinds[1 - number] if len(kinds) == 2 else ""
        if other == "STRING_LITERAL":
            return f"write CAST({arguments[number] or '…'} AS VARCHAR)"
        if kind == "VARCHAR" and other:
            if other == "VARCHAR":
                return "write || between texts"
            return f"write CAST({arguments[number] or '…'} AS {'INTEGER' if other == 'INTEGER_LITERAL' else other})"
    said = next((argument for argument in arguments if argument), "…")
    return f"write CAST({said} AS …), with a type that goes with the other side"


def _said(query: QueryText, node: dict[str, Any]) -> str:
    """A column as it is written; '' for anything else."""
    return query.text[slice(*query.path(node.get("query_location", 0)))] if node.get("class") == "COLUMN_REF" else ""


def _split(arguments: str) -> list[str]:
    """'INTEGER, DECIMAL(3, 1)' ▸ its two types."""
    found, depth = [""], 0
    for sign in arguments:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return [each.strip() for each in found if each.strip()]
