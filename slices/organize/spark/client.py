"""A lake's views that Spark computes in EMR Serverless, while no function waits."""

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
from slices.organize.spark import logic
from slices.organize.spark.application import application_of
from slices.organize.spark.service import EmrServerless
from slices.organize.spark.slice import SLICE
from systems.iceberg.elsewhere import ElsewhereDriver
from systems.iceberg.staging_table import StagingTable


class SparkDriver(ElsewhereDriver):
    """See shared_metadata.contract.organize.Driver.

    A prepared result is the lake's, with 'staging', the tables to forget once it is committed, 'statements', the jobs that have run,
    and 'counts', how many rows there are and fail each expectation: a job takes minutes to begin, so one does all that it can.
    """

    title, struct = "Spark", "STRUCT"

    def refreshed(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        flow, start = work.flow, to_text(work.claim.interval.start)
        batch = "" if flow.kind == Kind.RESULT or flow.mode == Mode.REPLACE else start
        columns = self._result_columns(work)
        self._columns_exist(work, columns)
        stored = (*columns, SchemaColumn(VIEW_BATCH, "timestamptz")) if batch else columns
        into = self._staging_table(work, "rows", stored, staging)
        statements = self._statements(work, into)

        def job() -> str:
            asks = {"counts": logic.counts([*self._failing(work).values()])} if flow.expectations else {}
            if flow.mode == Mode.MERGE and flow.kind != Kind.RESULT:
                asks["twice"] = logic.keys_twice(flow.key)
            return logic.job({into: logic.insert(into, stored, self._query(work, reads, staging), batch)}, asks)

        ran = statements.run("rows", job)
        self._refuse_twins(work, next(iter(ran.result.get("twice", ())), 0))
        tables = self._tables(work).staging()
        rows = tables.rows(into)
        read = [tables.named(self._renamed(work, dataset)).to_plain() for dataset in reads]
        return {
            "files": rows.files if rows else [],
            "columns": [asdict(column) for column in stored],
            "staging": [(rows.table if rows else into).to_plain(), *read],
            "statements": [one.to_plain() for one in statements.ran],
            "counts": ran.result.get("counts", []),
        }

    def checked(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        """Takes what was counted when the rows were made; where rows are set aside, Spark divides the table that refresh has left."""
        expected, written = work.flow.expectations, StagingTable(*prepared["staging"][0])
        total, *failed = prepared["counts"] or [0] * (len(expected) + 1)
        results = [CheckResult(e.name, e.action, number, total) for e, number in zip(expected, failed, strict=True)]
        if not any(r.failing and r.action == "QUARANTINE" for r in results):
            return results, dict(prepared)
        actions = {e.name: e.action for e in expected}
        failing = {name: one for name, one in self._failing(work).items() if actions[name] == "QUARANTINE"}
        columns = tuple(from_plain(SchemaColumn, column) for column in prepared["columns"])
        own = tuple(c for c in columns if c.name != VIEW_BATCH)
        with_reasons = (*own, SchemaColumn(unlike((c.name for c in own), logic.REASONS), "string"))
        good = self._staging_table(work, "kept", columns, staging)
        bad = self._staging_table(work, "aside", with_reasons, staging)
        kept = logic.insert(good, columns, logic.kept(written, columns, [*failing.values()]))
        aside = logic.insert(bad, with_reasons, logic.aside(written, own, failing))
        statements = self._statements(work, good)
        statements.run("aside", lambda: logic.job({good: kept, bad: aside}, {}))
        stay, go = (self._tables(work).staging().rows(table) for table in (good, bad))
        rejects = self._as_rejected(work, [file["url"] for file in go.files] if go else [], own, with_reasons)
        document = self._with_statements(prepared, statements, [good, bad])
        rows = sum(file["rows"] for file in rejects)
        return results, {**document, "files": stay.files if stay else [], "rejected": rejects, "rejected_rows": rows}

    # -- pieces

    def _statements(self, work: Work, table: StagingTable) -> Statements:
        """The jobs of this call.  table: by whose files they read and answer."""
        warehouse, minutes = work.flow.warehouse, self._config.spark_timeout_minutes
        service = EmrServerless(
            self._services.client("emr-serverless"),
            self._services.s3,
            application_of(warehouse, work.place),
            warehouse=warehouse,
            bucket=self._services.environment.atoll_data_bucket,
            prefix=f"{naming.answers_prefix(SLICE.id)}{warehouse}/",
            table=f"{logic.CATALOG}.{table.database}.{table.name}",
            minutes=minutes,
            place=work.place,
        )
        return Statements(service, work.turn, work.place, limit_seconds=minutes * 60.0)

    def _failing(self, work: Work) -> dict[str, str]:
        """Each expectation, and whether a row fails it."""
        bounds = logic.words(work.flow, {}, to_text(work.claim.interval.start), to_text(work.claim.interval.end))
        return {e.name: logic.fails(e, bounds) for e in work.flow.expectations}

    def _query(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging) -> str:
        flow, interval, lake = work.flow, work.claim.interval, self._tables(work)
        tables = {}
        for dataset, pointer in reads.items():
            snapshot_id, of = int(pointer["snapshot_id"]), pointer["table"]
            columns = lake.columns(dataset, snapshot_id)
            names, table = logic.other_names(columns), lake.find(dataset)
            if names and table is not None:
                token = self._renamed(work, dataset)
                made = lake.staging().renamed(token, table, snapshot_id, names, self._place_of(work, "read", token, staging))
                of = ".".join(made.identifier)
            tables[dataset] = logic.reading(of, snapshot_id, columns, sees_deleted=dataset in flow.sees_deleted)
        return flow.filled(logic.words(flow, tables, to_text(interval.start), to_text(interval.end)))

    @staticmethod
    def _renamed(work: Work, dataset: str) -> str:
        """The token of what a table is read through whose columns have names that Spark keeps for itself."""
        return work.turn.token(f"read {dataset}")
