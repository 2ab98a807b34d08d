"""A batch at its table without S3 and metadata: its rows are put into the staging tables, and the slices' own code applies them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared_metadata.contract.harness import Allowance
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.work import Work
from shared_metadata.program import BadRows, Connection, Flow, Kind, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Claim
from systems.sql_target.batch import Batch
from systems.sql_target.dialect import Session
from systems.sql_target.sifting import SiftedBatch
from systems.sql_target.statements import ROW, places

PLACE = Position("program.sql", 1, 1)
START = datetime(2026, 1, 1, tzinfo=UTC)
Rows = Sequence[Mapping[str, Any]]


class DirectBatches:
    """Publishes to one table in MERGE; close it. table: with its schema.  beside: other tables to which the program publishes."""

    def __init__(
        self, open_session: Callable[[Deadline], Session], shape: Mapping[str, str], table: str, key: Sequence[str] = ("id",),
        beside: Sequence[str] = (), receipts_schema: str = "atoll",
    ) -> None:  # fmt: skip
        self.session, self._key, self._tables = open_session(Deadline(time.monotonic() + 900)), tuple(key), [table, *beside]
        self._columns = [{"name": name, "type": kind} for name, kind in shape.items()]
        self._flow_id = self._flow(table).id
        self._number, self._base, self._schema = 0, None, receipts_schema

    def close(self) -> None:
        self.session.close()

    def publish(self, rows: Rows, gone: Rows = (), tolerated: int = 0) -> dict[int, str]:
        """Writes rows, deletes keys; what was set aside, by the row's number."""
        self._number += 1
        batch = self._batch(SiftedBatch if tolerated else Batch)
        with batch.translated():
            batch.receipts.ensure()
        changes = self._changes(rows, gone)
        batch.table(self._columns)
        batch.prepare(changes)
        self._bring(batch, changes, "upserts", rows)
        self._bring(batch, changes, "deletes", gone)
        rejected = self._apply(batch, changes, tolerated)
        self._base = batch.receipts.since(self._flow_id, datetime(9999, 1, 1, tzinfo=UTC))[-1].mark
        return rejected

    def _apply(self, batch: Batch, changes: Mapping[str, Any], tolerated: int) -> dict[int, str]:
        if not isinstance(batch, SiftedBatch):
            batch._brought(None, changes, None)  # type: ignore[arg-type]
            return {}
        with batch.translated():
            batch.check_key(changes)
        allowed, done = Allowance(BadRows(tolerated), changes["upserts"], 0), None
        while not done:
            rejected = batch._rejected()
            done = batch._transacted(changes, lambda: batch._apply_sifted(changes, allowed, rejected, ()))  # noqa: B023
        return rejected

    def _batch(self, kind: type[Batch]) -> Batch:
        hour = timedelta(hours=1)
        interval = Interval(START + self._number * hour, START + self._number * hour + hour)
        flows = [self._flow(name) for name in self._tables]
        claim = Claim(flows[0].id, interval, 1, (flows[0].tables[0].dataset,), "v", False, 0, None)
        program = Program({"ops": Connection("ops", "any", {"secret": "ops"}, PLACE)}, {}, {flow.id: flow for flow in flows})
        work = Work(flows[0], flows[0].tables[0], claim, program)
        return kind(self.session, self._schema, work, Deadline(time.monotonic() + 900))

    def _flow(self, table: str) -> Flow:
        return Flow(
            table.rpartition(".")[2], Kind.PUBLISH, "harness.any", "lake", 3600, (Table(f"ops.{table}", inputs=("r",)),), PLACE,
            connection="ops", mode=Mode.MERGE, key=self._key, query="SELECT 1", whole=True,
        )  # fmt: skip

    def _changes(self, rows: Rows, gone: Rows) -> dict[str, Any]:
        counts = {"upserts": len(rows), "deletes": len(gone)}
        files = [{"key": into, "rows": count, "into": into} for into, count in counts.items() if count]
        names = [column["name"] for column in self._columns]
        named = {"columns": self._columns, "written": names, "deleted": list(self._key), "files": files}
        return {**counts, **named, "forget": True, "base": self._base, "result": str(self._number), "result_files": []}

    def _bring(self, batch: Batch, changes: Mapping[str, Any], into: str, rows: Rows) -> None:
        columns = batch._mapped(changes, into) if rows else {}
        numbered = isinstance(batch, SiftedBatch) and into == "upserts"
        listed = [*([ROW] if numbered else []), *places(list(columns.values()))]
        marks = ", ".join(["%s"] * len(listed))
        values = [[*([number] if numbered else []), *(row[name] for name in columns)] for number, row in enumerate(rows)]
        if rows:
            self.session.insert(f"INSERT INTO {batch._sql(into)} ({', '.join(listed)}) VALUES ({marks})", values)
