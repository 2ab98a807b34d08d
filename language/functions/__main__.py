"""Writes duckdb.json anew from the installed DuckDB: python -m language.functions"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import duckdb

FILE = Path(__file__).with_name("duckdb.json")
GENERIC = ('"', "T", "K", "STRUCT", "MAP", "ANY", "TABLE", "LAMBDA", "UNION", "VARIANT")
COLUMNS = "function_name, function_type, return_type"


def functions() -> dict[str, str]:
    """Every function's name ▸ the type that all its overloads return, '' where that depends on its arguments."""
    returned: dict[str, set[str]] = defaultdict(set)
    rows = duckdb.connect().execute(
        f"SELECT {COLUMNS} FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro')"
    )
    for name, kind, return_type in rows.fetchall():
        concrete = kind != "macro" and return_type and not return_type.startswith(GENERIC) and return_type != "DECIMAL"
        returned[name.lower()].add(return_type if concrete else "")
    return {name: types.pop() if len(types) == 1 else "" for name, types in sorted(returned.items()) if name[0].isalpha()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(functions(), indent=0, sort_keys=True) + "\n")
