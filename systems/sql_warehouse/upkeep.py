"""What maintenance does: ledgers are shortened, and staging tables dropped whose batches did not end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared_metadata.contract.maintenance.request import MaintenanceResult
from shared_metadata.program.intervals import to_text
from systems.sql_warehouse.dialect import LEDGERS, MADE, STAGING, WarehouseSql, table
from systems.sql_warehouse.ledger import Ledger
from systems.sql_warehouse.session import Service, ask

LEFT_AFTER = timedelta(days=2)  # no batch takes so long
AT_ONCE = 30  # tables that one transaction drops


def entered(sql: WarehouseSql, tables: Sequence[str]) -> list[str]:
    """Makes the schema of staging tables, and enters when these were made.  tables: as they are written."""
    made = table(sql, STAGING, MADE)
    columns = f"(name {sql.type('string')}, made_at {sql.type('timestamp')})"
    rows = [f"SELECT {sql.literal(one)}, CAST({sql.now()} AS {sql.type('timestamp')})" for one in tables]
    enter = [f"INSERT INTO {made} (name, made_at) {' UNION ALL '.join(rows)}"] if rows else []
    return [sql.schema(STAGING), f"CREATE TABLE IF NOT EXISTS {made} {columns}", *enter]


def shortened(sql: WarehouseSql, service: Service, dataset: str, since: datetime, deadline_monotonic: float) -> MaintenanceResult:
    """Forgets the batches that ended before `since`, but the last one; a table of rejected rows has no ledger."""
    ledger = Ledger(sql, dataset)
    there = ask(service, [sql.columns_of([(LEDGERS, ledger.name)])], dataset, deadline_monotonic)
    if not there:
        return MaintenanceResult()
    counted = f"SELECT count(*) FROM {ledger.written}"
    ((before,),) = ask(service, [counted], dataset, deadline_monotonic)
    ((after,),) = ask(service, [*ledger.shorten(to_text(since)), counted], dataset, deadline_monotonic)
    return MaintenanceResult({"forgotten_batches": int(before) - int(after)})


def tidied(sql: WarehouseSql, service: Service, place: str, now: datetime, deadline_monotonic: float) -> None:
    if not ask(service, [sql.columns_of([(STAGING, MADE)])], place, deadline_monotonic):
        return
    made = table(sql, STAGING, MADE)
    old = f"made_at < CAST({sql.literal((now - LEFT_AFTER).strftime('%Y-%m-%d %H:%M:%S'))} AS {sql.type('timestamp')})"
    names = [str(name) for (name,) in ask(service, [f"SELECT name FROM {made} WHERE {old} ORDER BY name"], place, deadline_monotonic)]
    for at in range(0, len(names), AT_ONCE):
        drops = [f"DROP TABLE IF EXISTS {name}" for name in names[at : at + AT_ONCE]]
        ask(service, [*drops, f"SELECT {len(drops)} AS dropped"], place, deadline_monotonic)
    if names:
        ask(service, [f"DELETE FROM {made} WHERE {old}", f"SELECT count(*) FROM {made}"], place, deadline_monotonic)
