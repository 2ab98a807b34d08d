"""The SQL that Spark runs, and the jobs that hold it, without running them.

All of it is written as programs are; `spelling.as_spark` makes Spark's own of it, at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared_metadata.contract.own_columns import DELETED, VIEW_BATCH, unlike
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.program import Expectation, Flow
from shared_metadata.program.places import BATCH_END, BATCH_START, filled
from shared_metadata.program.schema import SchemaColumn
from slices.organize.spark.spelling import as_spark
from slices.organize.spark.sql_types import spark_type
from systems.iceberg.staging_table import StagingTable

CATALOG = "atoll"  # what a job calls the lake's catalog
ROWS = "atoll_rows"  # and the rows that it has written
REASONS = "atoll_reasons"
# Iceberg's own columns of every table, in whose place Spark reads no other: https://iceberg.apache.org/spec/#reserved-field-ids
KEPT = ("_file", "_pos", "_deleted", "_spec_id", "_partition", "_row_id", "_last_updated_sequence_number")


def other_names(columns: Sequence[SchemaColumn]) -> dict[str, str]:
    """What a table's columns have to be called for Spark whose names it keeps for itself."""
    taken = [column.name for column in columns]
    return {name: unlike(taken, f"atoll{name}") for name in taken if name in KEPT}


def reading(table: str, snapshot_id: int, columns: Sequence[SchemaColumn], *, sees_deleted: bool) -> str:
    """One version of a table, without the rows that are marked as deleted.

    table: 'database.table' of the catalog, in which columns are called by `other_names`.
    """
    others = other_names(columns)
    of = f"{'.'.join(map(identifier, (CATALOG, *table.split('.'))))} VERSION AS OF {snapshot_id}"
    deleted = identifier(others.get(DELETED.name, DELETED.name))
    where = f" WHERE NOT coalesce({deleted}, false)" if DELETED in columns and not sees_deleted else ""
    named = (f"{identifier(others[c.name])} AS {identifier(c.name)}" if c.name in others else identifier(c.name) for c in columns)
    return f"(SELECT {', '.join(named)} FROM {of}{where})"


def moment(text: str) -> str:
    """An ISO moment in UTC as a constant."""
    return f"TIMESTAMP_LTZ {literal(text.replace('T', ' ').removesuffix('Z') + ' UTC')}"


def words(flow: Flow, tables: Mapping[str, str], start: str, end: str) -> dict[str, str]:
    """What stands at the places of a flow's texts.  tables: dataset ▸ what `reading` gives."""
    return {**tables, BATCH_START: moment(start), BATCH_END: moment(end)}


def insert(into: StagingTable, columns: Sequence[SchemaColumn], query: str, batch: str = "") -> str:
    """Writes the query's rows as the columns' types.  batch: the moment that the hidden batch column holds, '' for none."""
    own = [c for c in columns if c.name != VIEW_BATCH or not batch]
    values = [f"CAST(r.{identifier(c.name)} AS {spark_type(c.type)})" for c in own]
    if batch:
        values.append(f"CAST({moment(batch)} AS {spark_type('timestamptz')})")
    return f"INSERT INTO {name(into)} ({_names(columns)}) SELECT {', '.join(values)} FROM ({query}\n) AS r ({_names(own)})"


def keys_twice(key: Sequence[str]) -> str:
    """How many keys occur twice, of which one is looked for."""
    keys = ", ".join(map(identifier, key))
    return f"SELECT count(*) FROM (SELECT 1 AS twice FROM {ROWS} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1) AS r"


def counts(fails: Sequence[str]) -> str:
    """How many rows there are, and how many fail each expectation."""
    return f"SELECT {', '.join(['count(*)', *(f'count_if({one})' for one in fails)])} FROM {ROWS}"


def fails(expectation: Expectation, bounds: Mapping[str, str]) -> str:
    """Whether a row fails it: a predicate that is null is not met."""
    return f"NOT coalesce(({filled(expectation.predicate, expectation.places, bounds)}\n), false)"


def kept(of: StagingTable, columns: Sequence[SchemaColumn], failing: Sequence[str]) -> str:
    return f"SELECT {_names(columns)} FROM {_rows(of)} WHERE NOT ({' OR '.join(failing)})"


def aside(of: StagingTable, columns: Sequence[SchemaColumn], failing: Mapping[str, str]) -> str:
    """The rows that fail any, each with the names of those.  failing: name ▸ what `fails` gives."""
    names = ", ".join(f"CASE WHEN {one} THEN {literal(name)} END" for name, one in failing.items())
    said = f"concat_ws(', ', {names})"  # which passes over NULL
    return f"SELECT {_names(columns)}, {said} FROM {_rows(of)} WHERE {' OR '.join(failing.values())}"


def job(writes: Mapping[StagingTable, str], asks: Mapping[str, str]) -> str:
    """The document of a job: the statement that writes each table, and what is asked of the first one's rows, by name."""
    document: dict[str, Any] = {
        "writes": [{"table": f"{CATALOG}.{table.database}.{table.name}", "sql": as_spark(sql)} for table, sql in writes.items()],
        "asks": {name: as_spark(sql) for name, sql in asks.items()},
        "rows": ROWS,
    }
    return json.dumps(document)


def name(table: StagingTable) -> str:
    return ".".join(map(identifier, (CATALOG, table.database, table.name)))


def _rows(table: StagingTable) -> str:
    return f"{name(table)} VERSION AS OF {table.snapshot_id}"


def _names(columns: Sequence[SchemaColumn]) -> str:
    return ", ".join(identifier(c.name) for c in columns)
