"""Finds the newest batch of each dataset in its ledger."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.landed import Landed
from shared_metadata.program.intervals import Interval, from_text
from systems.sql_warehouse.dialect import LEDGERS, WarehouseSql
from systems.sql_warehouse.ledger import Entry, Ledger
from systems.sql_warehouse.session import Service, ask


def newest_batches(
    sql: WarehouseSql, service: Service, flows: Mapping[str, str], deadline_monotonic: float
) -> dict[str, Landed | None]:
    """flows: dataset ▸ its flow."""
    found = dict[str, Landed | None]()
    for dataset, flow in flows.items():
        ledger = Ledger(sql, dataset)
        there = ask(service, [sql.columns_of([(LEDGERS, ledger.name)])], dataset, deadline_monotonic)
        rows = ask(service, [ledger.last(flow)], dataset, deadline_monotonic) if there else []
        entries = [*map(Entry.read, rows)]
        found[dataset] = max(
            (
                Landed(
                    Interval(from_text(one.identity.start), from_text(one.identity.end)),
                    one.identity.token,
                    f"row {one.seq} of {LEDGERS}.{ledger.name}",
                )
                for one in entries
            ),
            key=lambda one: (one.interval, one.token),
            default=None,
        )
    return found
