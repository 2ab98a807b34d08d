"""The model's program, a source whose rows appear in time, and a warehouse that records batches as an Iceberg table does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared_metadata.contract.batch_identity import Identity, standing
from shared_metadata.contract.collect import Extracted, ExtractRequest, TablePlan, Window
from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.contract.organize import Committed
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.waiting.turn import NotYet
from shared_metadata.contract.work import Work
from shared_metadata.errors import RetryLater
from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from tests.protocol.replay import Line

HOUR, HERE = 3600, Position("program.sql", 1, 1)
BEGIN = datetime(2026, 11, 23, 11, tzinfo=UTC)
TABLE, STAGED, VIEW = "lake.ops.t", "lake.ops.t:staged", "lake.ops.v"
COLLECT, LOAD = "lake.ops", "lake.ops:load"
SCHEMA = Schema((SchemaColumn("id", "long"),))
# rows by the minute, since BEGIN, in which they appear at the source; nothing in the third hour
MINUTES = (5, 20, 70, 75, 110, 190, 200, 250, 290, 310)
APPEARS = tuple((BEGIN + timedelta(minutes=minute), minute) for minute in MINUTES)
CAPABILITIES = Capabilities("postgres", tuple(Mode))
SLICES = {
    "collect.model": Slice("collect", "model", "Model", CAPABILITIES, "", ("plan", "extract", "commit")),
    "organize.model": Slice("organize", "model", "Model", CAPABILITIES, "", ("plan", "load", "refresh", "check", "commit")),
}
COMMIT_TRIES = 3


def program(*, view: bool = True, covers: bool = False) -> Program:
    """One table, collected by the hour and loaded; over it, if wanted, a view. covers: missed batches are made as one."""
    mode = Mode.MERGE if covers else Mode.APPEND
    collect = Flow(COLLECT, Kind.COLLECT, "collect.model", "lake", HOUR, (Table(STAGED, "t"),), HERE, connection="ops", mode=mode)
    load = Flow(LOAD, Kind.LOAD, "organize.model", "lake", HOUR, (Table(TABLE, inputs=(STAGED,)),), HERE, mode=mode)
    above = Flow(VIEW, Kind.VIEW, "organize.model", "lake", HOUR, (Table(VIEW, inputs=(TABLE,)),), HERE, query="SELECT *")
    flows = (replace(flow, covers=covers) for flow in (collect, load, *((above,) if view else ())))
    connections = {"ops": Connection("ops", "model", {}, HERE)}
    return Program(connections, {"lake": Warehouse("lake", "model", {}, HERE)}, {flow.id: flow for flow in flows})


def rows_by(moment: datetime) -> list[int]:
    """What the source holds at a moment."""
    return [minute for appears, minute in APPEARS if appears < moment]


class ModelSource:
    """Gives the rows that appeared since the cursor, which counts them; to a batch that is run again those that it took."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def tables(self) -> list[str]:
        return ["t"]

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return dict.fromkeys(tables, SCHEMA)

    def schema(self, flow: Flow, table: Table) -> Schema:
        return SCHEMA

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        known = len(rows_by(window.interval.start)) if window.rerun else _known(window.cursor)
        found = len(rows_by(window.interval.end))
        took = window.took or {"from": known, "to": found}
        if found == known and not window.first and not window.rerun:
            return None
        return TablePlan((took,), json.dumps({"known": found}), took)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        rows = list(MINUTES[request.part["from"] : request.part["to"]])
        key, bucket = request.out.key("rows.json"), request.out.staging.bucket
        self._services.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(rows).encode())
        return Extracted(({"key": key, "rows": len(rows), "bytes": 8 * len(rows)},))

    def close(self) -> None: ...


def _known(cursor: str) -> int:
    """How many rows were taken; an earlier version's cursor is that number alone."""
    found = json.loads(cursor or "0")
    return int(found["known"] if isinstance(found, dict) else found)


class ModelDriver:
    """Commits upon the version it has looked at or not at all, with the batch's identity, as slices/organize/iceberg does."""

    def __init__(self, services: Services, line: Line) -> None:
        self._services, self._line = services, line

    def load(self, work: Work, staged: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        rows: list[int] = []
        for file in staged["files"]:
            rows += json.loads(self._services.s3.get_object(Bucket=staging.bucket, Key=file["key"])["Body"].read())
        return {"rows": rows}

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        (read,) = reads.values()
        snapshots = self._line.call("warehouse", "snapshots", {"dataset": TABLE})
        return {"rows": [row for _, row in snapshots[int(read["snapshot_id"])]["rows"]]}

    def check(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Any:
        raise NotImplementedError  # nothing is expected of the model's flows

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        dataset = work.table.dataset
        for _ in range(COMMIT_TRIES):
            snapshots = self._line.call("warehouse", "snapshots", {"dataset": dataset})
            landed = self.landed(work, snapshots)
            if landed is not None:
                return self._committed(landed, prepared)
            snapshot = {"rows": self._rows(work, prepared["rows"], snapshots), "identity": Identity.of(work.claim).properties()}
            if self._line.call("warehouse", "commit", {"dataset": dataset, "parent": len(snapshots), "snapshot": snapshot}):
                return self._committed(len(snapshots), prepared)
        raise RetryLater(f"{dataset} is being written by others")

    def landed(self, work: Work, snapshots: Sequence[Mapping[str, Any]]) -> int | None:
        """The snapshot that this claim has made before."""
        history = [(n, identity) for n, s in enumerate(snapshots) if (identity := Identity.read(s["identity"]))]
        return standing(Identity.of(work.claim), history, rerun=work.claim.again).landed

    def _rows(self, work: Work, rows: Sequence[int], snapshots: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
        """APPEND, and MERGE of rows that do not change: this batch's rows instead of those that it made before; REPLACE: all."""
        batch = to_text(work.claim.interval.start)
        current = snapshots[-1]["rows"] if snapshots and work.flow.mode != Mode.REPLACE else []
        return [*(row for row in current if row[0] != batch), *([batch, row] for row in rows)]

    def _committed(self, number: int, prepared: Mapping[str, Any]) -> Committed:
        return Committed({"snapshot_id": str(number)}, SCHEMA, len(prepared["rows"]), 8 * len(prepared["rows"]))


class WaitingDriver(ModelDriver):
    """Waits once in load and once in commit, as for a statement that runs elsewhere."""

    def load(self, work: Work, staged: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        self._wait(work)
        return super().load(work, staged, staging, deadline)

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        self._wait(work)
        return super().commit(work, prepared, staging)

    def _wait(self, work: Work) -> None:
        if work.turn.resume is None:
            raise NotYet("a statement elsewhere", {"looked": True}, limit_seconds=HOUR)


def schema_document() -> dict[str, Any]:
    return dataclasses.asdict(SCHEMA)
