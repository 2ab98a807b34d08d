"""Rows that were set aside, as a warehouse's table of them tells."""

from __future__ import annotations

from datetime import datetime

from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.rejected_rows import RejectedRow
from systems.sql_warehouse.dialect import WarehouseSql, names, table
from systems.sql_warehouse.session import Service, ask
from systems.sql_warehouse.tables import place_of


def latest(sql: WarehouseSql, service: Service, dataset: str, limit: int, deadline_monotonic: float) -> list[RejectedRow]:
    """The latest batches' rows; none where there is no such table."""
    schema, name = place_of(dataset)
    if not ask(service, [sql.columns_of([(schema, name)])], dataset, deadline_monotonic):
        return []
    named = names(sql, rejected_rows.COLUMNS)
    order = f"ORDER BY {sql.identifier('_batch')} DESC, reason, data LIMIT {int(limit)}"
    rows = ask(service, [f"SELECT {named} FROM {table(sql, schema, name)} {order}"], dataset, deadline_monotonic)
    return [RejectedRow(datetime.fromisoformat(batch), stage, reason, data) for batch, stage, reason, data in rows]
