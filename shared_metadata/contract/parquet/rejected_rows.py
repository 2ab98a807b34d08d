"""Rows that were set aside: the one shape in which they are kept, whatever their table's, and the SQL of DuckDB for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.program.schema import SchemaColumn

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

COLUMNS = (
    SchemaColumn("_batch", "timestamptz"),
    SchemaColumn("stage", "string"),
    SchemaColumn("reason", "string"),
    SchemaColumn("data", "string"),
)
NAMES = ", ".join(identifier(column.name) for column in COLUMNS)
# Types of DuckDB, as it names them: what a double may not hold, what it may be, what it always holds.
LONG_NUMBERS = ("bigint", "ubigint", "hugeint", "uhugeint", "decimal")
FLOATS = ("float", "double")
SHORT_NUMBERS = ("tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger")


@dataclass(frozen=True)
class RejectedRow:
    """A row that was set aside. stage: where; reason: why, in names; data: its values, a JSON object."""

    batch: datetime
    stage: str
    reason: str
    data: str


def select(batch: str, stage: str, reason: str, data: str) -> str:
    """SELECT of rejected rows. batch: a moment; reason, data: expressions."""
    return f"SELECT TIMESTAMPTZ {literal(batch)} AS _batch, {literal(stage)} AS stage, {reason} AS reason, {data} AS data"


def reason(condition: str, why: str) -> str:
    """The expression of why a row that fulfils the condition was set aside; null for others. PostgreSQL takes it too."""
    return f"CASE WHEN {condition} THEN {literal(why)} END"


def as_json(values: Mapping[str, tuple[str, str]]) -> str:
    """The expression of a JSON object: name ▸ (expression, its type in DuckDB).

    As RFC 8259 has it, and so that a reader who keeps numbers as doubles reads what was there: a number that a double does not hold
    is a text of its digits, and NaN and the infinities are texts, as in PostgreSQL's JSON; so are bytes, as \\x and their hex digits.
    """
    import duckdb

    written = (f"{literal(name)}: {json_value(value, duckdb.sqltype(kind))}" for name, (value, kind) in values.items())
    return f"to_json({{{', '.join(written)}}})::VARCHAR"


def json_value(value: str, kind: DuckDBPyType, depth: int = 0, *, exact: bool = False) -> str:
    """The expression of what `to_json` writes for a value so that anybody may read it; exact: who keeps numbers of any length."""
    if kind.id in ("list", "array", "struct", "map"):
        written = _json_nested(value, kind, f"x{depth}", depth + 1, exact)
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE {written} END"
    if kind.id in FLOATS:
        words = f"CASE WHEN isnan({value}) THEN 'NaN' WHEN {value} > 0 THEN 'Infinity' ELSE '-Infinity' END"
        return f"CASE WHEN isfinite({value}) THEN to_json({value}) WHEN {value} IS NOT NULL THEN to_json({words}) END"
    if kind.id in LONG_NUMBERS and not exact:
        held = f"TRY_CAST({value}::DOUBLE AS {kind}) IS NOT DISTINCT FROM {value}"
        return f"CASE WHEN {held} THEN to_json({value}) ELSE to_json({value}::VARCHAR) END"
    if kind.id == "blob":
        return f"'\\x' || lower(hex({value}))"
    return value if kind.id in ("boolean", *SHORT_NUMBERS, *LONG_NUMBERS) else f"{value}::VARCHAR"


def _json_nested(value: str, kind: DuckDBPyType, item: str, depth: int, exact: bool) -> str:
    inner: Mapping[str, Any] = dict(kind.children)
    if kind.id == "struct":
        parts = (
            (name, json_value(f"struct_extract({value}, {literal(name)})", part, depth, exact=exact)) for name, part in inner.items()
        )
        return f"{{{', '.join(f'{literal(name)}: {written}' for name, written in parts)}}}"
    element = inner["value" if kind.id == "map" else "child"]
    if kind.id == "map":
        entry = f"{{'key': {item}.key::VARCHAR, 'value': {json_value(f'{item}.value', element, depth, exact=exact)}}}"
        return f"map_from_entries(list_transform(map_entries({value}), lambda {item}: {entry}))"
    return f"list_transform({value}, lambda {item}: {json_value(item, element, depth, exact=exact)})"


def latest(rows: str, limit: int) -> str:
    """The latest batches' rows of a relation, for `read`."""
    return f"SELECT epoch(_batch), stage, reason, data FROM {rows} ORDER BY _batch DESC, reason, data LIMIT {limit}"


def read(rows: Sequence[tuple[float, str, str, str]]) -> list[RejectedRow]:
    """What a query made by `latest` gave."""
    return [RejectedRow(datetime.fromtimestamp(start, UTC), *more) for start, *more in rows]


def of_files(connection: duckdb.DuckDBPyConnection, urls: Sequence[str], limit: int) -> list[RejectedRow]:
    """The rows of Parquet files that a slice has staged."""
    rows = f"(SELECT {NAMES} FROM read_parquet([{', '.join(map(literal, urls))}]))"
    return read(connection.execute(latest(rows, limit)).fetchall())
