"""Types of columns as the catalog writes them, which of them Delta keeps, and how a column or a field of one is widened.

https://docs.databricks.com/aws/en/delta/type-widening
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa
import sqlglot

from doubles.databricks.errors import StatementFailed

_WORDS = {
    **{"INTEGER": "int", "BIGINT": "bigint", "HUGEINT": "bigint", "VARCHAR": "string", "BLOB": "binary", "FLOAT": "float"},
    **{"TIMESTAMP": "timestamp_ntz", "TIMESTAMP WITH TIME ZONE": "timestamp", "DOUBLE": "double", "DATE": "date"},
}
_UNKNOWN = ("INTERVAL", "TIME", "UUID", '"NULL"')  # of which Delta has none
_WIDER = {("int", "bigint"), ("float", "double")}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


def columns(cursor: duckdb.DuckDBPyConnection) -> pa.Table:
    """What information_schema.columns shows."""
    asked = "SELECT schema_name, table_name, column_name, column_index, comment, data_type FROM duckdb_columns() WHERE NOT internal"
    found = cursor.execute(asked).fetchall()
    names = ("table_schema", "table_name", "column_name", "ordinal_position", "comment", "full_data_type")
    rows = [dict(zip(names, (*row[:-1], catalogued(row[-1])), strict=True)) for row in found]
    kinds = [pa.int64() if name == "ordinal_position" else pa.string() for name in names]
    return pa.Table.from_pylist(rows, pa.schema([*zip(names, kinds, strict=True)]))


def catalogued(text: str) -> str:
    """'STRUCT(a INTEGER)[]' ▸ 'array<struct<a:int>>'."""
    return _catalogued(duckdb.sqltype(text))


def _catalogued(kind: duckdb.sqltypes.DuckDBPyType) -> str:
    if kind.id == "struct":
        return f"struct<{','.join(f'{name}:{_catalogued(part)}' for name, part in _parts(kind))}>"
    if kind.id in ("list", "map"):
        word = "array" if kind.id == "list" else "map"
        return f"{word}<{','.join(_catalogued(part) for _, part in _parts(kind))}>"
    return _WORDS.get(str(kind), str(kind).lower())


def _parts(kind: duckdb.sqltypes.DuckDBPyType) -> Sequence[tuple[str, duckdb.sqltypes.DuckDBPyType]]:
    """Those of a list, a map or a struct, each with a name."""
    return kind.children  # type: ignore[return-value]  # of a decimal alone they are numbers


def not_kept(kind: duckdb.sqltypes.DuckDBPyType) -> bool:
    """Whether Delta has no such type, or none of what it holds."""
    return str(kind) in _UNKNOWN or (kind.id in ("struct", "list", "map") and any(not_kept(part) for _, part in _parts(kind)))


def widening(cursor: duckdb.DuckDBPyConnection, table: str, path: Sequence[str], wanted: str) -> str:
    """DuckDB's statement, of a whole column.  path: names that lead to a field, of a list's 'element' too. Raises StatementFailed."""
    columns = {str(name).lower(): kind for name, kind, *_ in cursor.execute(f"SELECT * FROM {table} LIMIT 0").description or ()}
    if path[0].lower() not in columns:
        raise _missing(path)
    kind = sqlglot.exp.DataType.build(wanted, dialect="databricks").sql("duckdb")
    return (
        f"ALTER TABLE {table} ALTER COLUMN {_quoted(path[0])} SET DATA TYPE {_within(columns[path[0].lower()], path[1:], path, kind)}"
    )


def _within(kind: duckdb.sqltypes.DuckDBPyType, rest: Sequence[str], path: Sequence[str], wanted: str) -> str:
    if not rest:
        former, wider = _catalogued(kind), catalogued(wanted)
        if former != wider and (former, wider) not in _WIDER and not _more_digits(former, wider):
            said = f"ALTER TABLE CHANGE COLUMN is not supported for changing column {'.'.join(path)} from {former} to {wider}"
            raise StatementFailed("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", said, "0AKDD")
        return wanted
    if kind.id not in ("struct", "list", "map"):
        raise _missing(path)
    names = {"list": ["element"], "map": ["key", "value"]}.get(kind.id) or [name for name, _ in _parts(kind)]
    if rest[0].lower() not in map(str.lower, names):
        raise _missing(path)
    parts = [
        _within(part, rest[1:], path, wanted) if name.lower() == rest[0].lower() else str(part)
        for name, (_, part) in zip(names, _parts(kind), strict=True)
    ]
    if kind.id == "list":
        return f"{parts[0]}[]"
    if kind.id == "map":
        return f"MAP({', '.join(parts)})"
    return f"STRUCT({', '.join(f'{_quoted(name)} {part}' for name, part in zip(names, parts, strict=True))})"


def _more_digits(former: str, wider: str) -> bool:
    before, after = _DECIMAL.fullmatch(former), _DECIMAL.fullmatch(wider)
    return bool(before and after and before[2] == after[2] and int(before[1]) <= int(after[1]))


def _missing(path: Sequence[str]) -> StatementFailed:
    said = f"ALTER TABLE CHANGE COLUMN: there is no `{'`.`'.join(path)}`."
    return StatementFailed("DELTA_COLUMN_NOT_FOUND_IN_SCHEMA", said, "42703")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
