"""Why a call, or an operator, does not take what it is given: with the types, and the CAST that would do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.message_rules import LITERALS
from language.dialects.duckdb.text import QueryText
from language.dialects.duckdb.wording import extent, node_at
from language.sql.problems import QueryProblem

_CALL = re.compile(r"argument types '(.+?)\((.*)\)'\.")
_OVERLOAD = re.compile(r"^\t(.+?)\((.*)\) -> .*$", re.MULTILINE)
_MORE = "...]"  # ends an overload's last argument where there may be any number of them
_LOGIC = {"&&": "AND", "||": "OR", "&": "AND", "|": "OR"}
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
        if "BOOLEAN" in kinds and name in _LOGIC:
            return QueryProblem(*place, cause, f"write {_LOGIC[name]} between conditions")
        pattern = name in _OPERATORS and kinds[-1] == "INTEGER_LITERAL"
        return QueryProblem(
            *place, cause, "write the pattern as a text, as in '5%'" if pattern else _operands_remedy(arguments, kinds)
        )
    overloads = [_split(each) for _, each in _OVERLOAD.findall(error.message)]
    shown = ", ".join(f"{name}({', '.join(each)})" for each in overloads[:4]) + (" …" if len(overloads) > 4 else "")
    if overloads and not any(_takes(each, len(kinds)) for each in overloads):
        cause = f"`{name}` takes {_numbers(overloads)}, not {len(kinds) or 'none'}"
        together = f"{name}(DISTINCT ({', '.join(said or '…' for said in arguments)}))"
        distinct = (node or {}).get("distinct") and ["ANY"] in overloads
        return QueryProblem(*place, cause, f"write {together if distinct else shown}")
    fitting = [each for each in overloads if len(each) == len(kinds)]
    wrong = [n for n, kind in enumerate(kinds) if fitting and all(each[n] != kind for each in fitting) and kind not in LITERALS]
    if len(fitting) == 1 and wrong:
        return QueryProblem(*place, cause, f"write CAST({arguments[wrong[0]] or '…'} AS {fitting[0][wrong[0]]})")
    return QueryProblem(*place, cause, f"CAST to a type that it takes: {shown}")


def _takes(overload: Sequence[str], number: int) -> bool:
    """Whether so many arguments; the last of an overload may stand for any number of them."""
    return number >= len(overload) - 1 if overload and overload[-1].endswith(_MORE) else number == len(overload)


def _numbers(overloads: Sequence[Sequence[str]]) -> str:
    """How many arguments some overload takes: '2 or 3 arguments'."""
    numbers = sorted({len(each) for each in overloads})
    if any(each and each[-1].endswith(_MORE) for each in overloads):
        return f"{numbers[0] - 1} or more arguments"
    told = " or ".join(map(str, numbers)) if numbers != [0] else "no"
    return f"{told} argument{'' if numbers == [1] else 's'}"


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
