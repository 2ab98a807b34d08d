"""SQL that tells whether JSON is a value of a nested type. DuckDB's own cast makes nulls of what within it is none."""

from __future__ import annotations

from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_name
from shared_metadata.program.type_names import TypeName


def fits(value: str, kind: TypeName, depth: int = 0) -> str:
    """The condition that `value`, an expression of JSON, is null or a value of this type; any JSON is a text."""
    if kind.word == "string":
        return "true"
    if kind.word == "struct":
        found = [fits(f"json_extract({value}, {literal(_path(name))})", part, depth) for name, part in kind.named()]
        return _null_or(value, "OBJECT", " AND ".join(found))
    if kind.word in ("list", "map"):
        of_map = kind.word == "map"
        elements = f"map_values(CAST({value} AS MAP(VARCHAR, JSON)))" if of_map else f"CAST({value} AS JSON[])"
        name = f"atoll_{depth}"
        inner = fits(name, kind.parts[-1], depth + 1)
        all_of_them = f"len(list_filter({elements}, lambda {name}: NOT {inner})) = 0"
        return _null_or(value, "OBJECT" if of_map else "ARRAY", all_of_them)
    read = f"TRY_CAST(json_extract_string({value}, '$') AS {duckdb_name(kind)})"
    return f"(coalesce(json_type({value}), 'NULL') = 'NULL' OR {read} IS NOT NULL)"


def _null_or(value: str, json_type: str, condition: str) -> str:
    kind = f"coalesce(json_type({value}), 'NULL')"
    return f"CASE {kind} WHEN 'NULL' THEN true WHEN '{json_type}' THEN {condition} ELSE false END"


def _path(name: str) -> str:
    """A field as a path of JSON."""
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
