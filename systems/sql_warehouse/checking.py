"""The statements of EXPECT clauses over staged rows: how many fail each, and which are set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.program import Expectation
from shared_metadata.program.places import filled
from shared_metadata.program.schema import SchemaColumn
from systems.sql_warehouse.dialect import WarehouseSql, names
from systems.sql_warehouse.merging import key_of


def fails(sql: WarehouseSql, expectation: Expectation, bounds: Mapping[str, str]) -> str:
    """Whether a row fails it: a predicate that is null is not met."""
    return f"NOT coalesce(({filled(expectation.predicate, expectation.places, bounds, sql.spelled)}\n), false)"


def counts(rows: str, failing: Sequence[str]) -> str:
    """Asks how many rows there are, and how many fail each."""
    sums = [f"coalesce(sum(CASE WHEN {one} THEN 1 ELSE 0 END), 0)" for one in failing]
    return f"SELECT {', '.join(['count(*)', *sums])} FROM {rows} AS r"


def keep(rows: str, kept: str, sql: WarehouseSql, columns: Sequence[SchemaColumn], failing: Sequence[str]) -> str:
    named = names(sql, columns)
    return sql.fill(kept, named, f"SELECT {named} FROM {rows} AS r WHERE NOT ({' OR '.join(failing)})")


def put_aside(
    rows: str, aside: str, unread: str, sql: WarehouseSql, columns: Sequence[SchemaColumn], failing: Mapping[str, str], batch: str
) -> str:
    """The rows that fail any, as rejected rows: each with the names of those.

    unread: the table of those that could not be read, which come along, or ''.  failing: name ▸ what `fails` gives.
    """
    reasons = " || ".join(f"CASE WHEN {one} THEN {sql.literal(', ' + name)} ELSE '' END" for name, one in failing.items())
    values = f"{sql.moment(batch)}, 'organize', substring({reasons}, 3), {sql.as_json(columns)}"
    named = names(sql, rejected_rows.COLUMNS)
    query = f"SELECT {values} FROM {rows} AS r WHERE {' OR '.join(failing.values())}"
    return sql.fill(aside, named, f"{query} UNION ALL SELECT {named} FROM {unread}" if unread else query)


def twice(rows: str, sql: WarehouseSql, columns: Sequence[SchemaColumn], key: Sequence[str]) -> str:
    """Asks how many keys come twice, of which one is looked for."""
    return f"SELECT count(*) FROM (SELECT 1 AS one FROM {rows} GROUP BY {key_of(sql, columns, key)} HAVING count(*) > 1 LIMIT 1) AS r"
