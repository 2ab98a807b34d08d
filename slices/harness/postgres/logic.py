"""Decides, without I/O, how a result's columns fit a PostgreSQL table and how their values are written there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.contract.duckdb_session import identifier
from shared_metadata.errors import DefinitionError

TEXT = frozenset({"text", "varchar", "bpchar", "citext", "name"})
JSON = frozenset({"json", "jsonb"})
MISFITS_SHOWN = 5
NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
WITHOUT_EQUALITY = frozenset({"json", "xml", "point", "box", "path", "polygon", "line", "lseg", "circle"})

# Iceberg type ▸ (the PostgreSQL type of a table made by Atoll, the base types of a table of the user's that take it)
TYPES: Mapping[str, tuple[str, frozenset[str]]] = {
    "boolean": ("boolean", frozenset({"bool"}) | TEXT),
    "int": ("integer", NUMBERS | TEXT | {"money", "oid"}),
    "long": ("bigint", NUMBERS | TEXT | {"money", "oid"}),
    "float": ("real", frozenset({"float4", "float8", "numeric"}) | TEXT),
    "double": ("double precision", frozenset({"float4", "float8", "numeric"}) | TEXT),
    "decimal": ("numeric", frozenset({"numeric", "float4", "float8", "money"}) | TEXT),
    "date": ("date", frozenset({"date", "timestamp", "timestamptz"}) | TEXT),
    "time": ("time", frozenset({"time", "timetz", "interval"}) | TEXT),
    "timestamp": ("timestamp", frozenset({"timestamp", "timestamptz"}) | TEXT),
    "timestamptz": ("timestamptz", frozenset({"timestamp", "timestamptz"}) | TEXT),
    "uuid": ("uuid", frozenset({"uuid"}) | TEXT),
    "binary": ("bytea", frozenset({"bytea"})),
}
_ICEBERG: Mapping[str, str] = {
    "bool": "boolean",
    "int2": "int",
    "int4": "int",
    "int8": "long",
    "oid": "long",
    "float4": "float",
    "float8": "double",
    "text": "string",
    "varchar": "string",
    **{name: name for name in ("uuid", "date", "time", "timestamp", "timestamptz")},
    "bytea": "binary",
}
_LIST_ELEMENTS = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "uuid")
MAX_PRECISION = 38  # of an Iceberg decimal


@dataclass(frozen=True)
class TargetColumn:
    """A column of the table in PostgreSQL.

    type: as in a CREATE TABLE, with its modifiers.  base: the type's catalog name, a domain's base type, '_int4' for arrays.
    required: NOT NULL without a default.  generated: the database computes it and takes no value.
    """

    name: str
    type: str
    base: str
    required: bool = False
    generated: bool = False


@dataclass(frozen=True)
class TargetTable:
    """The table in PostgreSQL; `exists` is False for one that the first batch makes. unique: sets of columns."""

    schema: str
    name: str
    columns: tuple[TargetColumn, ...]
    unique: tuple[frozenset[str], ...] = ()
    exists: bool = True

    @property
    def sql(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    def column(self, name: str) -> TargetColumn | None:
        """By its exact name, or the only one that differs in case."""
        folded = [c for c in self.columns if c.name.lower() == name.lower()]
        exact = [c for c in folded if c.name == name]
        return exact[0] if exact else folded[0] if len(folded) == 1 else None


def table_name(dataset: str, connection: str) -> tuple[str, str]:
    """'ops.public.scorecard' ▸ ('public', 'scorecard'); without a schema it is 'public'."""
    return split_name(dataset.removeprefix(f"{connection}."))


def split_name(table: str) -> tuple[str, str]:
    """'public.scorecard' ▸ ('public', 'scorecard'); without a schema it is 'public'."""
    schema, _, name = table.rpartition(".")
    return schema or "public", name


def new_table(schema: str, name: str, columns: Sequence[Mapping[str, Any]], key: Sequence[str]) -> TargetTable:
    """The table that Atoll makes when there is none: the result's columns, the key as PRIMARY KEY."""
    made = []
    for column in columns:
        kind = target_type(column["type"])
        made.append(TargetColumn(column["name"], kind, _base_of(kind), required=column["name"] in key))
    return TargetTable(schema, name, tuple(made), (frozenset(key),) if key else (), exists=False)


def target_type(iceberg_type: str) -> str:
    """The PostgreSQL type for a new column; the README holds the table."""
    head = re.split(r"[(<]", iceberg_type, maxsplit=1)[0]
    if head == "decimal":
        return iceberg_type.replace("decimal", "numeric")
    if head == "list":
        inner = iceberg_type[len("list<") : -1]
        return "jsonb" if re.match(r"(list|struct|map)<", inner) else target_type(inner) + "[]"
    if head in ("struct", "map"):
        return "jsonb"
    return TYPES[head][0] if head in TYPES else "text"


def _base_of(kind: str) -> str:
    if kind.endswith("[]"):
        return "_" + _base_of(kind.removesuffix("[]"))
    names = {"boolean": "bool", "integer": "int4", "bigint": "int8", "real": "float4", "double precision": "float8"}
    return names.get(kind, kind.split("(")[0])


def iceberg_type(base: str, type_word: str, dimensions: int) -> str:
    """What the values of a PostgreSQL type are in a warehouse; base: the catalog name, dimensions: an array's, as declared."""
    if base.startswith("_"):
        inner = _ICEBERG.get(base[1:])
        return f"list<{inner}>" if inner and base[1:] in _LIST_ELEMENTS and dimensions <= 1 else "string"
    if base == "numeric" and (digits := re.fullmatch(r"numeric\((\d+),(-?\d+)\)", type_word)):
        precision, scale = int(digits[1]), int(digits[2])
        wide = max(precision - min(scale, 0), scale)
        return f"decimal({wide},{max(scale, 0)})" if wide <= MAX_PRECISION else "string"
    return _ICEBERG.get(base, "string")


def create_statement(table: TargetTable, key: Sequence[str]) -> str:
    columns = [f"{identifier(c.name)} {c.type}" for c in table.columns]
    primary = [f"PRIMARY KEY ({', '.join(map(identifier, key))})"] if key else []
    return f"CREATE TABLE {table.sql} ({', '.join(columns + primary)})"


def matched(table: TargetTable, columns: Sequence[Mapping[str, Any]], key: Sequence[str], place: str) -> dict[str, TargetColumn]:
    """Result column ▸ target column. Raises DefinitionError, which names every misfit, before anything is written."""
    found: dict[str, TargetColumn] = {}
    wrong: list[tuple[str, str]] = []
    for column in columns:
        target = table.column(column["name"])
        if target is None:
            kind = target_type(column["type"])
            remedy = f"ALTER TABLE {table.sql} ADD COLUMN {identifier(column['name'])} {kind}"
            wrong.append((f"has no column {column['name']}", remedy))
        elif target.generated:
            wrong.append((f"computes column {target.name} itself", f"leave {target.name} out of the query"))
        elif not _takes(target.base, column["type"]):
            remedy = f"CAST({column['name']} AS …) in the query, or change the column's type"
            wrong.append((f"has column {target.name} of type {target.type}, which takes no {column['type']}", remedy))
        else:
            found[column["name"]] = target
    names = {column["name"] for column in columns}
    wrong += [(f"the key column {name} is not in the query's result", "select it") for name in key if name not in names]
    filled = {target.name for target in found.values()}
    wrong += [
        (f"requires column {c.name}, which the query does not fill", f"select {c.name}, or give the column a default")
        for c in table.columns
        if c.required and c.name not in filled and not wrong
    ]
    if wrong:
        raise _misfit(table, wrong, place)
    return found


def _misfit(table: TargetTable, wrong: Sequence[tuple[str, str]], place: str) -> DefinitionError:
    shown = wrong[:MISFITS_SHOWN]
    more = f"; and {len(wrong) - len(shown)} more" if len(wrong) > len(shown) else ""
    what = f"the table {table.schema}.{table.name} " + "; it ".join(text for text, _ in shown) + more
    return DefinitionError(what, place=place, remedy="; ".join(remedy for _, remedy in shown))


def _takes(base: str, iceberg_type: str) -> bool:
    head = re.split(r"[(<]", iceberg_type, maxsplit=1)[0]
    if head == "list":
        return base.startswith("_") or base in JSON | TEXT
    if head in ("struct", "map"):
        return base in JSON | TEXT
    if head == "decimal" and iceberg_type.endswith(",0)"):
        return base in NUMBERS | TYPES[head][1]  # a sum of whole numbers; one too large for the column is an error of its row
    return head not in TYPES or base in TYPES[head][1]


def csv_value(column: str, duckdb_type: str, base: str) -> str:
    """DuckDB SQL that writes a column's value as PostgreSQL's input of the type `base` reads it."""
    if duckdb_type.endswith("[]"):
        return _array(column, duckdb_type) if base.startswith("_") else f"to_json({column})::VARCHAR"
    if duckdb_type.startswith(("STRUCT", "MAP")):
        return f"to_json({column})::VARCHAR"
    return _scalar(column, duckdb_type)


def _scalar(value: str, duckdb_type: str) -> str:
    if duckdb_type == "BLOB":
        return f"'\\x' || hex({value})"
    if duckdb_type == "DATE" or duckdb_type.startswith("TIMESTAMP"):
        return f"replace({value}::VARCHAR, '(BC)', 'BC')"
    return f"{value}::VARCHAR"


def _array(value: str, duckdb_type: str, depth: int = 0) -> str:
    """https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO: elements quoted, backslash before quote and backslash."""
    inner, item = duckdb_type[:-2], f"x{depth}"
    if inner.endswith("[]"):
        written = _array(item, inner, depth + 1)
    else:
        written = f"""'"' || replace(replace({_scalar(item, inner)}, '\\', '\\\\'), '"', '\\"') || '"'"""
    listed = f"list_transform({value}, lambda {item}: CASE WHEN {item} IS NULL THEN 'NULL' ELSE {written} END)"
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE '{{' || array_to_string({listed}, ',') || '}}' END"


def identity(manifest: Mapping[str, Any]) -> str:
    """Names a result by its manifest's content; file keys hold flow, interval and token."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:32]


def lock_number(flow: str) -> int:
    """A flow's number for pg_advisory_xact_lock, a signed 64-bit integer."""
    return int.from_bytes(hashlib.sha256(f"atoll {flow}".encode()).digest()[:8], "big", signed=True)


def stage_prefix(flow: str, start: str) -> str:
    """What the names of a batch's staging tables begin with; the token follows."""
    return "stage_" + hashlib.sha256(f"{flow} {start}".encode()).hexdigest()[:20] + "_"
