"""A view's rows as DuckDB computes them, in the function itself: of each engine of a lake, where they are few enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from shared_metadata.contract.own_columns import VIEW_BATCH
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.program import Kind, Mode
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from systems.iceberg import relations
from systems.iceberg.column_types import result_columns
from systems.iceberg.driver import LakeDriver


class ComputingDriver(LakeDriver):
    """All of shared_metadata.contract.organize.Driver but `refresh`, which may be `computed`."""

    def computed(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging) -> dict[str, Any]:
        flow, interval, tables = work.flow, work.claim.interval, self._tables(work)
        inputs = {dataset: tables.read(dataset, int(pointer["snapshot_id"])) for dataset, pointer in reads.items()}
        start, end = to_text(interval.start), to_text(interval.end)
        result = flow.kind == Kind.RESULT
        folder = staging.url(work.table.dataset, "result") if result else self._folder(work)
        with self._engine(work) as engine:
            engine.only_select(flow.query)
            engine.attach(inputs, flow.sees_deleted)
            engine.bound(start, end)
            engine.confine([url for version in inputs.values() for url in (*version.files, *version.deletes)], [folder + "/"])
            columns = result_columns(engine.describe(flow.query), place=str(flow.position))
            self._columns_exist(work, columns)
            if not result:
                tables.fits(work.table.dataset, columns)
            hidden = "" if result or flow.mode == Mode.REPLACE else start
            query = relations.result_query(flow.query, columns, hidden)
            files = engine.write(query, folder, () if result else flow.partition_by)
            if flow.mode == Mode.MERGE and files and not result:
                self._keys_are_unique(work, engine, columns, files)
        if hidden:
            columns = (*columns, SchemaColumn(VIEW_BATCH, "timestamptz"))
        return {"files": files, "columns": [asdict(column) for column in columns]}
