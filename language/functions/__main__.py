"""Writes duckdb.json anew from the installed DuckDB: python -m language.functions"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import duckdb

FILE = Path(__file__).with_name("duckdb.json")
COLUMNS = "function_name, function_type, parameter_types, varargs, return_type"
KINDS = "('scalar', 'aggregate', 'macro')"
OPERATORS = {"+", "-", "*", "//", "%", "&", "|", "<<", ">>", "~", "^", "||"}
MANY = 70  # overloads: such a function takes whatever there is


def functions() -> dict[str, list[str]]:
    """Every function's name ▸ its overloads, each as in 'VARCHAR,BIGINT...:VARCHAR'; none for a macro, '*' before an aggregate's."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = duckdb.connect().execute(f"SELECT {COLUMNS} FROM duckdb_functions() WHERE function_type IN {KINDS}").fetchall()
    for name, kind, parameters, varargs, returns in rows:
        overloads = found[name.lower()]
        if kind == "macro":
            continue
        takes = [*map(_short, parameters), *([f"{_short(varargs)}..."] if varargs else [])]
        overloads.add(f"{'*' if kind == 'aggregate' else ''}{','.join(takes)}:{_short(returns or '')}")
    plain = {name: sorted(overloads) for name, overloads in sorted(found.items()) if name[0].isalpha() or name in OPERATORS}
    return {name: overloads if len(overloads) <= MANY else overloads[:1] and [_loose(overloads)] for name, overloads in plain.items()}


def _short(kind: str) -> str:
    """Without what stands between parentheses, where a comma may."""
    return kind.split("(")[0].strip('"').replace("WITH TIME ZONE", "TZ").replace(" ", "")


def _loose(overloads: list[str]) -> str:
    return f"{'*' if overloads[0].startswith('*') else ''}ANY...:"


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(overloads, separators=(',', ':'))}" for name, overloads in functions().items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
