"""A captured table, deployed with what loads and reads it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from console.run import wait_for
from console.target import Target
from infra.embedded import EmbeddedAws
from tests.e2e.same_rows import lake_rows

PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Deployed:
    """run: executes statements at the source, and answers the last one's rows."""

    aws: EmbeddedAws
    target: Target
    slice_id: str
    run: Callable[..., list[tuple[Any, ...]]]

    def bring(self) -> None:
        """Runs all flows in their order, by hand, until each has made a batch that ends after now."""
        now = datetime.now(UTC)
        loads = ("organize.iceberg", "lake.shop.orders:load"), ("organize.iceberg", "lake.shop.customers")
        for slice_id, flow in ((self.slice_id, "lake.shop.orders"), *loads):
            giving_up = time.monotonic() + PATIENCE_SECONDS
            while not self._made(flow, now):
                assert time.monotonic() < giving_up, flow
                states, machine = self.target.session.client("stepfunctions"), self.target.state_machine_arn(slice_id)
                started = states.start_execution(stateMachineArn=machine, input=json.dumps({"flow": flow}))
                ended = wait_for(self.target, started["executionArn"])
                assert ended["status"] == "SUCCEEDED", ended

    def _made(self, flow: str, now: datetime) -> bool:
        tables = self.target.reader.flow_states([flow])[flow].tables.values()
        return all(table.watermark > now for table in tables)

    def rows(self, table: str) -> list[dict[str, Any]]:
        found = lake_rows(self.aws, "shop", table).to_pylist()
        return sorted(found, key=lambda row: str([*row.values()]))
