"""Rows that were set aside: the one shape in which they are kept, whatever their table's, and the SQL of DuckDB for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared_metadata.contract.duckdb_session import identifier, literal
from shared_metadata.records import SchemaColumn

if TYPE_CHECKING:
    import duckdb

COLUMNS = (
    SchemaColumn("_batch", "timestamptz"),
    SchemaColumn("stage", "string"),
    SchemaColumn("reason", "string"),
    SchemaColumn("data", "string"),
)
NAMES = ", ".join(identifier(column.name) for column in COLUMNS)


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


def as_json(values: Mapping[str, str]) -> str:
    """The expression of a JSON object: name ▸ expression."""
    return f"to_json({{{', '.join(f'{literal(name)}: {value}' for name, value in values.items())}}})::VARCHAR"


def latest(rows: str, limit: int) -> str:
    """Of a relation the latest batches' rows, for `read`."""
    return f"SELECT epoch(_batch), stage, reason, data FROM {rows} ORDER BY _batch DESC, reason, data LIMIT {limit}"


def read(rows: Sequence[tuple[float, str, str, str]]) -> list[RejectedRow]:
    """What a query made by `latest` gave."""
    return [RejectedRow(datetime.fromtimestamp(start, UTC), *more) for start, *more in rows]


def of_files(connection: duckdb.DuckDBPyConnection, urls: Sequence[str], limit: int) -> list[RejectedRow]:
    """The rows of Parquet files that a slice has staged."""
    rows = f"(SELECT {NAMES} FROM read_parquet([{', '.join(map(literal, urls))}]))"
    return read(connection.execute(latest(rows, limit)).fetchall())
