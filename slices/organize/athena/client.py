"""A lake's views that Athena computes, while no function waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.organize import CheckResult
from shared_metadata.contract.own_columns import VIEW_BATCH, unlike
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.waiting.statements import Statements
from shared_metadata.contract.work import Work
from shared_metadata.program import Kind, Mode, from_plain
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from slices.organize.athena import logic
from slices.organize.athena.service import Athena
from slices.organize.athena.workgroup import workgroup
from systems.iceberg.elsewhere import ElsewhereDriver
from systems.iceberg.staging_table import SCHEMA, StagingTable


class AthenaDriver(ElsewhereDriver):
    """See shared_metadata.contract.organize.Driver."""

    title, struct = "Athena", "ROW"

    def refreshed(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        flow, start = work.flow, to_text(work.claim.interval.start)
        batch = "" if flow.kind == Kind.RESULT or flow.mode == Mode.REPLACE else start
        columns = self._result_columns(work)
        self._columns_exist(work, columns)
        stored = (*columns, SchemaColumn(VIEW_BATCH, "timestamptz")) if batch else columns
        into = self._staging_table(work, "rows", stored, staging)
        athena, statements = self._athena(work)
        statements.run("rows", lambda: logic.insert(into, stored, self._query(work, reads), batch))
        rows = self._tables(work).staging().rows(into)
        if flow.mode == Mode.MERGE and flow.kind != Kind.RESULT and rows:
            self._refuse_twins(work, athena.row(statements.run("keys", logic.keys_twice(rows.table, flow.key)).id)[0])
        return {
            "files": rows.files if rows else [],
            "columns": [asdict(column) for column in stored],
            "staging": [(rows.table if rows else into).to_plain()],
            "statements": [ran.to_plain() for ran in statements.ran],
        }

    def checked(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        """Checks the expectations in Athena, over the table that refresh has left."""
        expected, written = work.flow.expectations, StagingTable(*prepared["staging"][0])
        if written.snapshot_id is None:
            return [CheckResult(e.name, e.action, 0, 0) for e in expected], dict(prepared)
        bounds = logic.words(work.flow, {}, to_text(work.claim.interval.start), to_text(work.claim.interval.end))
        failing = {e.name: logic.fails(e, bounds) for e in expected}
        athena, statements = self._athena(work)
        counted = athena.row(statements.run("counts", logic.counts(written, [*failing.values()])).id)
        results = [CheckResult(e.name, e.action, number, counted[0]) for e, number in zip(expected, counted[1:], strict=True)]
        failing = {e.name: failing[e.name] for e in expected if e.action == "QUARANTINE"}
        if not any(r.failing and r.action == "QUARANTINE" for r in results):
            return results, self._with_statements(prepared, statements, [])
        columns = tuple(from_plain(SchemaColumn, column) for column in prepared["columns"])
        own = tuple(c for c in columns if c.name != VIEW_BATCH)
        with_reasons = (*own, SchemaColumn(unlike((c.name for c in own), logic.REASONS), "string"))
        good = self._staging_table(work, "kept", columns, staging)
        bad = self._staging_table(work, "aside", with_reasons, staging)
        statements.run("kept", logic.insert(good, columns, logic.kept(written, columns, [*failing.values()])))
        statements.run("aside", logic.insert(bad, with_reasons, logic.aside(written, own, failing)))
        stay, go = (self._tables(work).staging().rows(table) for table in (good, bad))
        aside = self._as_rejected(work, [file["url"] for file in go.files] if go else [], own, with_reasons)
        document = self._with_statements(prepared, statements, [good, bad])
        rows = sum(file["rows"] for file in aside)
        return results, {**document, "files": stay.files if stay else [], "rejected": aside, "rejected_rows": rows}

    # -- pieces

    def _athena(self, work: Work) -> tuple[Athena, Statements]:
        place = work.place
        database = naming.database(work.flow.warehouse, SCHEMA)
        athena = Athena(self._services.client("athena"), workgroup(work.flow.warehouse), database, place)
        return athena, Statements(athena, work.turn, place)

    def _query(self, work: Work, reads: Mapping[str, Mapping[str, Any]]) -> str:
        flow, interval, lake = work.flow, work.claim.interval, self._tables(work)
        tables = {}
        for dataset, pointer in reads.items():
            snapshot_id = int(pointer["snapshot_id"])
            columns = lake.columns(dataset, snapshot_id)
            tables[dataset] = logic.reading(pointer["table"], snapshot_id, columns, sees_deleted=dataset in flow.sees_deleted)
        return flow.filled(logic.words(flow, tables, to_text(interval.start), to_text(interval.end)))
