"""The SQL that Athena runs, without running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.own_columns import DELETED, VIEW_BATCH
from shared_metadata.contract.parquet.duckdb_session import identifier, literal  # which Trino quotes alike
from shared_metadata.program import Expectation, Flow
from shared_metadata.program.places import BATCH_END, BATCH_START, filled
from shared_metadata.program.schema import SchemaColumn
from slices.organize.athena.sql_types import athena_type
from systems.iceberg.staging_table import StagingTable

REASONS = "atoll_reasons"


def reading(table: str, snapshot_id: int, columns: Sequence[SchemaColumn], *, sees_deleted: bool) -> str:
    """One version of a table, without the rows that are marked as deleted.  table: 'database.table' of the catalog."""
    database, name = table.split(".")
    of = f"{identifier(database)}.{identifier(name)} FOR VERSION AS OF {snapshot_id}"
    where = f" WHERE NOT coalesce({identifier(DELETED.name)}, false)" if DELETED in columns and not sees_deleted else ""
    return f"(SELECT {_names(columns)} FROM {of}{where})"


def moment(text: str) -> str:
    """An ISO moment in UTC as a constant."""
    return f"TIMESTAMP {literal(text.replace('T', ' ').removesuffix('Z') + ' UTC')}"


def words(flow: Flow, tables: Mapping[str, str], start: str, end: str) -> dict[str, str]:
    """What stands at the places of a flow's texts.  tables: dataset ▸ what `reading` gives."""
    return {**tables, BATCH_START: moment(start), BATCH_END: moment(end)}


def insert(into: StagingTable, columns: Sequence[SchemaColumn], query: str, batch: str = "") -> str:
    """Writes the query's rows as the columns' types.  batch: the moment that the hidden batch column holds, '' for none."""
    own = [c for c in columns if c.name != VIEW_BATCH or not batch]
    values = [f"CAST(r.{identifier(c.name)} AS {athena_type(c.type)})" for c in own]
    if batch:
        values.append(f"CAST({moment(batch)} AS {athena_type('timestamptz')})")
    named = f"r ({_names(own)})"
    return f"INSERT INTO {_table(into)} ({_names(columns)}) SELECT {', '.join(values)} FROM ({query}\n) AS {named}"


def keys_twice(of: StagingTable, key: Sequence[str]) -> str:
    """How many keys occur twice, of which one is looked for."""
    keys = ", ".join(map(identifier, key))
    return f"SELECT count(*) FROM (SELECT 1 AS twice FROM {_rows(of)} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1) AS r"


def counts(of: StagingTable, fails: Sequence[str]) -> str:
    """How many rows there are, and how many fail each expectation."""
    return f"SELECT {', '.join(['count(*)', *(f'count_if({one})' for one in fails)])} FROM {_rows(of)}"


def fails(expectation: Expectation, bounds: Mapping[str, str]) -> str:
    """Whether a row fails it: a predicate that is null is not met."""
    return f"NOT coalesce(({filled(expectation.predicate, expectation.places, bounds)}\n), false)"


def kept(of: StagingTable, columns: Sequence[SchemaColumn], failing: Sequence[str]) -> str:
    return f"SELECT {_names(columns)} FROM {_rows(of)} WHERE NOT ({' OR '.join(failing)})"


def aside(of: StagingTable, columns: Sequence[SchemaColumn], failing: Mapping[str, str]) -> str:
    """The rows that fail any, each with the names of those.  failing: name ▸ what `fails` gives."""
    names = ", ".join(f"CASE WHEN {one} THEN {literal(name)} END" for name, one in failing.items())
    said = f"array_join(ARRAY[{names}], ', ')"
    return f"SELECT {_names(columns)}, {said} FROM {_rows(of)} WHERE {' OR '.join(failing.values())}"


def _table(table: StagingTable) -> str:
    return f"{identifier(table.database)}.{identifier(table.name)}"


def _rows(table: StagingTable) -> str:
    return f"{_table(table)} FOR VERSION AS OF {table.snapshot_id}"


def _names(columns: Sequence[SchemaColumn]) -> str:
    return ", ".join(identifier(c.name) for c in columns)
