"""Slices of the tests' own whose every step runs a statement elsewhere and waits for it: a source, a warehouse and a target."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared_metadata.contract.collect import CollectSteps, Extracted, ExtractRequest, TablePlan, Window
from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.contract.harness import HarnessSteps, Published
from shared_metadata.contract.organize import CheckResult, Committed, OrganizeSteps
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.waiting.statements import Statements
from shared_metadata.contract.waiting.turn import Turn
from shared_metadata.contract.work import Work
from shared_metadata.program import Connection, Expectation, Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from tests.waiting.remote import Remote

HOUR, HERE = 3600, Position("program.sql", 3, 1)
COLLECT, LOAD, RESULT, PUBLISH = "lake.ops", "lake.ops:load", "out.t:result", "out.t"
STAGED, TABLE = "lake.ops.t:staged", "lake.ops.t"
SCHEMA = Schema((SchemaColumn("id", "long"),))
CAPABILITIES = Capabilities("duckdb", (Mode.APPEND, Mode.REPLACE, Mode.MERGE))
SLICES = {
    stage: Slice(stage, "waiting", "Waiting", CAPABILITIES, "", steps, waits=steps[1:])
    for stage, steps in {
        "collect": ("plan", "extract", "commit"),
        "organize": ("plan", "load", "refresh", "check", "commit"),
        "harness": ("plan", "diff", "publish", "commit"),
    }.items()
}


def program() -> Program:
    """A table that is collected and loaded, with an expectation, a query over it, and what is published of that."""
    expected = (Expectation("positive", "id > 0", "WARN", HERE),)
    collect, load = (Table(STAGED, "t"),), (Table(TABLE, inputs=(STAGED,)),)
    result, publish = (Table(RESULT, inputs=(TABLE,)),), (Table(PUBLISH, inputs=(RESULT,)),)
    collects = Flow(COLLECT, Kind.COLLECT, "collect.waiting", "lake", HOUR, collect, HERE, connection="ops")
    loads = Flow(LOAD, Kind.LOAD, "organize.waiting", "lake", HOUR, load, HERE, expectations=expected)
    computes = Flow(RESULT, Kind.RESULT, "organize.waiting", "lake", HOUR, result, HERE, query="SELECT id FROM lake.ops.t")
    publishes = Flow(PUBLISH, Kind.PUBLISH, "harness.waiting", "lake", HOUR, publish, HERE, connection="out", query="SELECT id")
    connections = {name: Connection(name, "waiting", {}, HERE) for name in ("ops", "out")}
    flows = {flow.id: flow for flow in (collects, loads, computes, publishes)}
    return Program(connections, {"lake": Warehouse("lake", "waiting", {}, HERE)}, flows)


def steps_of(stage: str, services: Services, remote: Remote) -> Steps:
    """The handlers of a stage's slice."""
    declaration = SLICES[stage]
    if stage == "collect":
        return CollectSteps(declaration, services, lambda *_: WaitingSource(services, remote))
    if stage == "organize":
        return OrganizeSteps(declaration, services, lambda *_: WaitingDriver(services, remote))
    return HarnessSteps(declaration, services, lambda *_: WaitingTarget(services, remote))


class Elsewhere:
    """Gives a step its statements."""

    def __init__(self, services: Services, remote: Remote) -> None:
        self._services, self._remote = services, remote

    def ran(self, turn: Turn, purpose: str, value: Any) -> tuple[Any, list[Mapping[str, Any]]]:
        """What the statement gives back, and itself for the statistics."""
        limit = self._remote.wanted("limit", 3600)
        statements = Statements(self._remote, turn, f"{HERE}: {TABLE}", limit_seconds=limit, patience_seconds=0)
        done = statements.run(purpose, json.dumps({"purpose": purpose, "value": value}))
        return done.result["value"], [ran.to_plain() for ran in statements.ran]

    def close(self) -> None: ...


class WaitingSource(Elsewhere):
    """Rows 1, 2, 3 of each batch."""

    def tables(self) -> list[str]:
        return ["t"]

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return dict.fromkeys(tables, SCHEMA)

    def sample(self, table: str, column: SchemaColumn) -> Any:
        raise NotImplementedError

    def schema(self, flow: Flow, table: Table) -> Schema:
        return SCHEMA

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        return TablePlan(({"from": 1}, {"from": 2}), "there")

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        first = request.part["from"]
        rows, ran = self.ran(request.turn, "unload", [first, first + 10])
        key = request.out.key("rows.json")
        self._services.s3.put_object(Bucket=request.out.staging.bucket, Key=key, Body=json.dumps(rows).encode())
        return Extracted(({"key": key, "rows": len(rows), "bytes": 8 * len(rows)},), statements=tuple(ran))


class WaitingDriver(Elsewhere):
    """Tables in the remote service; each batch is put under its own identity."""

    def load(self, work: Work, staged: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        found = [json.loads(self._body(staging, file["key"])) for file in staged["files"]]
        return self._prepared(work, "copy", [row for rows in found for row in rows], [])

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        return self._prepared(work, "select", [row for read in reads.values() for row in read["rows"]], [])

    def check(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        document = self._prepared(work, "count", prepared["rows"], prepared["ran"])
        return [CheckResult("positive", "WARN", 0, len(prepared["rows"]))], document

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        done = self._prepared(work, "insert", prepared["rows"], prepared["ran"])
        rows = done["rows"]
        if work.flow.kind == Kind.RESULT:
            files = [{"key": staging.write({"rows": rows}, work.table.dataset, "rows.json"), "rows": len(rows), "bytes": 8}]
            pointer: Mapping[str, Any] = {"manifest": staging.write_manifest({"files": files, "rows": rows}, work.table.dataset)}
        else:
            self._remote.put(work.table.dataset, to_text(work.claim.interval.start), rows)
            pointer = {"rows": rows}
        return Committed(pointer, SCHEMA, len(rows), 8 * len(rows), statements=tuple(done["ran"]))

    def keep(self, flow: Flow) -> timedelta:
        return timedelta(days=7)

    def _body(self, staging: Staging, key: str) -> bytes:
        return self._services.s3.get_object(Bucket=staging.bucket, Key=key)["Body"].read()

    def _prepared(self, work: Work, purpose: str, value: Any, before: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        rows, ran = self.ran(work.turn, purpose, value)
        return {"rows": rows, "ran": [*before, *ran]}


class WaitingTarget(Elsewhere):
    """A table in the remote service."""

    def diff(self, work: Work, result: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        rows, _ = self.ran(work.turn, "diff", result["rows"])
        return {"upserts": len(rows), "deletes": 0, "rows": rows}

    def publish(
        self, work: Work, changes: Mapping[str, Any], staging: Staging, resume: Mapping[str, Any] | None, deadline: Deadline
    ) -> Published:
        rows, ran = self.ran(work.turn, "publish", changes["rows"])
        self._remote.put(work.table.dataset, to_text(work.claim.interval.start), rows)
        return Published(statements=tuple(ran))
