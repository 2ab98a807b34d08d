"""The driver of an Iceberg warehouse: prepares a batch's rows with DuckDB, and makes them visible through the tables' catalog."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from pyiceberg.table import Table

from shared_metadata.contract import set_aside
from shared_metadata.contract.batch_identity import Identity
from shared_metadata.contract.maintenance.request import MaintenanceRequest, MaintenanceResult
from shared_metadata.contract.organize import CheckResult, Committed
from shared_metadata.contract.own_columns import VIEW_BATCH, batch_column
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.rejected_rows import RejectedRow
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Kind, Mode, Warehouse, from_plain
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.iceberg import expectations, partitions, relations
from systems.iceberg.changes import Changes
from systems.iceberg.config import Config
from systems.iceberg.engine import Engine
from systems.iceberg.iceberg_schema import schema_of
from systems.iceberg.maintenance import TableMaintenance
from systems.iceberg.rewriting import Rewriting
from systems.iceberg.snapshots import bytes_of_snapshot, looked_through_by, rewritten_by, rows_of_snapshot
from systems.iceberg.tables import Tables


class LakeDriver:
    """All of shared_metadata.contract.organize.Driver but `refresh`: what a lake does, whichever engine runs its views.

    A prepared result is a JSON document: {'files': [{'url', 'rows', 'bytes'}], 'columns': [SchemaColumn, …]}.
    """

    def __init__(self, warehouse: Warehouse, services: Services) -> None:
        self._warehouse, self._services = warehouse, services
        self._config = Config.read(warehouse.options, place=f"warehouse {warehouse.name} ({warehouse.position})")

    def load(self, work: Work, staged: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """Loads by reference, unless rows have to be moved: for PARTITION BY, or where a key occurs twice in a MERGE."""
        flow = work.flow
        columns = from_plain(Schema, staged["schema"]).columns
        self._columns_exist(work, columns)
        self._tables(work).fits(work.table.dataset, columns)
        files = [
            {"url": f"s3://{staging.bucket}/{file['key']}", "rows": file["rows"], "bytes": file["bytes"]}
            for file in staged["files"]
            if file["rows"]
        ]
        if files and (flow.partition_by or flow.mode == Mode.MERGE):
            files = self._arranged(work, columns, files)
        others = {k: [f"s3://{staging.bucket}/{file['key']}" for file in staged.get(k, ())] for k in ("left", "there", "rejected")}
        whole, aside = bool(staged.get("whole")) and flow.mode == Mode.MERGE, others.pop("rejected")
        document = {"files": files, **others, "whole": whole, "columns": [asdict(column) for column in columns]}
        return document | self._set_aside(work, aside)

    def _set_aside(self, work: Work, staged: Sequence[str]) -> dict[str, Any]:
        """Copies the rows that collect could not read to the files of the table of rejected rows."""
        if not staged:
            return {}
        with self._engine(work) as engine:
            rows = f"SELECT {rejected_rows.NAMES} FROM {relations.rows_of(staged, rejected_rows.COLUMNS)}"
            files = engine.write(rows, self._folder(set_aside.beside(work)))
        return {"rejected": files, "rejected_rows": sum(file["rows"] for file in files)}

    def check(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        """Checks the expectations. Quarantined rows, with the names of those that they fail, go to the table of rejected
        rows' files.
        """
        columns, urls = _columns(prepared), [file["url"] for file in prepared["files"]]
        partition_by = () if work.flow.kind == Kind.RESULT else work.flow.partition_by
        in_bucket = staging.url(work.table.dataset, "result") if work.flow.kind == Kind.RESULT else self._folder(work)
        quarantine, start = self._folder(set_aside.beside(work)), to_text(work.claim.interval.start)
        with self._engine(work) as engine:
            engine.confine(urls, [in_bucket + "/", quarantine + "/"])
            source = relations.rows_of(urls, columns)
            results = expectations.evaluate(engine, work.flow.expectations, source)
            if not any(r.failing and r.action == "QUARANTINE" for r in results):
                return results, dict(prepared)
            own = [c for c in columns if c.name != batch_column(work.flow)]
            aside = engine.write(expectations.quarantined(work.flow.expectations, own, source, start), quarantine)
            files = engine.write(expectations.kept(work.flow.expectations, columns, source), in_bucket, partition_by)
        aside = [*prepared.get("rejected", ()), *aside]
        return results, {**prepared, "files": files, "rejected": aside, "rejected_rows": sum(f["rows"] for f in aside), "held": urls}

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        """Commits the table first, so that a worker that has lost the batch rejects nothing."""
        committed = self._commit_rows(work, prepared, staging)
        self._commit_rejected(work, prepared.get("rejected", ()), staging)
        return replace(committed, rejected=int(prepared.get("rejected_rows", 0)))

    def _commit_rows(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        columns, files = _columns(prepared), prepared["files"]
        rows, sizes = sum(file["rows"] for file in files), tuple(file["bytes"] for file in files)
        if work.flow.kind == Kind.RESULT:
            return self._commit_result(work, columns, prepared, staging)
        tables, dataset = self._tables(work), work.table.dataset
        rewriting = self._rewriting(dataset, staging)
        changes = Changes(
            *(work, tables, columns, files, lambda: self._engine(work), self._folder, rewriting, prepared.get("left", ())),
            deletes=self._config.delete_files,
            whole=bool(prepared.get("whole")),
            there=(prepared.get("there", ()), prepared.get("held", ())),
        )
        table, snapshot_id = tables.commit(
            dataset,
            columns,
            work.flow.partition_by,
            Identity.of(work.claim),
            work.claim.again,
            changes.of,
        )
        pointer = {
            "table": ".".join(tables.identifier(dataset)),
            "snapshot_id": str(snapshot_id),
            "total_rows": rows_of_snapshot(table, snapshot_id),
            "total_bytes": bytes_of_snapshot(table, snapshot_id),
        }
        if work.flow.mode == Mode.MERGE:
            pointer |= zip(("rewritten_rows", "rewritten_bytes"), rewritten_by(table, snapshot_id), strict=True)
            pointer["looked_rows"] = looked_through_by(table, snapshot_id)
        layout = {"format": "iceberg", "location": table.location(), "partition_by": list(work.flow.partition_by)}
        return Committed(pointer, schema_of(table, columns), rows, sum(sizes), layout, sizes)

    def _commit_rejected(self, work: Work, files: Sequence[Mapping[str, Any]], staging: Staging) -> None:
        """Makes the rejected rows visible, instead of those that earlier attempts at this batch rejected."""
        if not work.flow.quarantines or not (files or set_aside.may_be_there(work)):
            return
        tables, aside = self._tables(work), set_aside.beside(work)
        if files or tables.find(aside.table.dataset):
            rewriting = self._rewriting(aside.table.dataset, staging)
            changes = Changes(aside, tables, rejected_rows.COLUMNS, files, lambda: self._engine(work), self._folder, rewriting)
            tables.commit(aside.table.dataset, rejected_rows.COLUMNS, (), Identity.of(work.claim), True, changes.of)

    def rejected(self, dataset: str, limit: int) -> list[RejectedRow]:
        tables = self._lake(dataset)
        table = tables.find(dataset)
        snapshot = table.current_snapshot() if table else None
        if table is None or snapshot is None:
            return []
        version = tables.read(dataset, snapshot.snapshot_id)
        rows = relations.rows_of(version.files, rejected_rows.COLUMNS, version.deletes)
        with self._open_engine(dataset) as engine:
            return rejected_rows.read(engine.fetch(rejected_rows.latest(rows, limit)))

    def _commit_result(self, work: Work, columns: Sequence[SchemaColumn], prepared: Mapping[str, Any], staging: Staging) -> Committed:
        files = prepared["files"]
        prefix, schema = f"s3://{staging.bucket}/", Schema(tuple(columns))
        listed = [{"key": f["url"].removeprefix(prefix), "rows": f["rows"], "bytes": f["bytes"]} for f in files]
        aside = {"rejected_rows": prepared["rejected_rows"]} if prepared.get("rejected_rows") else {}
        manifest = staging.write_manifest({"files": listed, "schema": asdict(schema), **aside}, work.table.dataset)
        rows, sizes = sum(f["rows"] for f in files), tuple(f["bytes"] for f in files)
        return Committed({"manifest": manifest}, schema, rows, sum(sizes), {"format": "parquet"}, sizes)

    def keep(self, flow: Flow) -> timedelta:
        return self._config.keep_of(flow.interval_seconds)

    def tidy(self) -> None:
        """Does nothing: what is not of a table lies where its maintenance looks."""

    def maintain(self, upkeep: MaintenanceRequest, deadline: Deadline) -> MaintenanceResult:
        place = f"{upkeep.flow.position}: {upkeep.dataset}"
        tables = self._lake(place)
        maintenance = TableMaintenance(
            tables,
            self._services,
            lambda: self._open_engine(place),
            upkeep,
            self._config.target_bytes(upkeep.flow.mode),
            f"{tables.location(upkeep.dataset)}/data/maintenance-{uuid.uuid4().hex[:8]}",
        )
        return maintenance.run(deadline)

    # -- pieces

    def _arranged(self, work: Work, columns: Sequence[SchemaColumn], files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same rows by partition, and each key once; the same files where that is so already."""
        flow, urls = work.flow, [file["url"] for file in files]
        with self._engine(work) as engine:
            if flow.mode == Mode.MERGE and engine.fetch(relations.has_duplicates(urls, columns, flow.key)):
                return self._write(engine, work, relations.latest_rows(urls, columns, flow.key, flow.cursor))
            if flow.partition_by:
                return self._write(engine, work, relations.all_of(urls, columns))
        return files

    def _write(self, engine: Engine, work: Work, query: str) -> list[dict[str, Any]]:
        return engine.write(query, self._folder(work), work.flow.partition_by)

    def _folder(self, work: Work) -> str:
        """A place of its own for each writing, so that nothing is ever written over what a table may refer to."""
        batch = f"{work.claim.interval.start:%Y%m%dT%H%M%SZ}-{work.claim.token:06d}"
        return f"{self._tables(work).location(work.table.dataset)}/data/{batch}-{uuid.uuid4().hex[:8]}"

    def _rewriting(self, dataset: str, staging: Staging) -> Callable[[Table], Rewriting]:
        return lambda table: Rewriting(staging, dataset, table, lambda: self._services.deadline_monotonic - time.monotonic())

    def _engine(self, work: Work) -> Engine:
        return self._open_engine(work.place)

    def _open_engine(self, place: str) -> Engine:
        slice_id = self._services.environment.atoll_slice_id
        return Engine(self._services.session, slice_id, place, self._config.target_file_mb, self._services.deadline_monotonic)

    def _tables(self, work: Work) -> Tables:
        return self._lake(work.place)

    def _lake(self, place: str) -> Tables:
        return Tables(self._warehouse.name, self._services, place)

    def _keys_are_unique(
        self, work: Work, engine: Engine, columns: Sequence[SchemaColumn], files: Sequence[Mapping[str, Any]]
    ) -> None:
        self._refuse_twins(work, len(engine.fetch(relations.has_duplicates([file["url"] for file in files], columns, work.flow.key))))

    def _refuse_twins(self, work: Work, twice: int) -> None:
        """twice: how many keys are known to occur twice. Raises DefinitionError."""
        if twice:
            raise DefinitionError(
                f"the query gives several rows with the same {', '.join(work.flow.key)}",
                place=work.place,
                remedy="make MERGE ON name a key of the result, or GROUP BY it",
            )

    def _columns_exist(self, work: Work, columns: Sequence[SchemaColumn]) -> None:
        """The key, the cursor and the partition columns are columns of the rows. Raises DefinitionError."""
        flow, known = work.flow, {column.name: column.type for column in columns}
        clauses = {"PARTITION BY": flow.partition_by, "MERGE ON": flow.key if flow.mode == Mode.MERGE else ()}
        if flow.kind == Kind.LOAD:
            clauses["CURSOR"] = (flow.cursor,) if flow.cursor and flow.mode == Mode.MERGE else ()
        for clause, named in clauses.items():
            for column in named:
                if column not in known:
                    raise DefinitionError(
                        f"{clause} names {column}, which is no column of {work.table.dataset}",
                        place=str(flow.position),
                        remedy=f"its columns are {', '.join(sorted(known))}",
                    )
        if VIEW_BATCH in known and flow.kind != Kind.RESULT:
            raise DefinitionError(
                f"{work.table.dataset} has a column {VIEW_BATCH}, which is Atoll's own in the tables of a warehouse",
                place=str(flow.position),
                remedy="collect or select it by another name, with AS",
            )
        for column in flow.partition_by:
            partitions.check(column, known[column], place=work.place)


def _columns(prepared: Mapping[str, Any]) -> tuple[SchemaColumn, ...]:
    return tuple(from_plain(SchemaColumn, column) for column in prepared["columns"])
