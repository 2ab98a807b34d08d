"""A view's rows as DuckDB computes them, in the function itself: of each engine of a lake, where they are few enough."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from shared_metadata.contract.own_columns import VIEW_BATCH
from shared_metadata.contract.parquet.duckdb_session import function_memory_mb
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.sizes import Given
from shared_metadata.contract.work import Work
from shared_metadata.program import Kind, Mode
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from systems.iceberg import relations, sizes
from systems.iceberg.column_types import result_columns
from systems.iceberg.driver import LakeDriver
from systems.iceberg.engine import Engine
from systems.iceberg.versions import Read

HERE = "DuckDB"
NOTHING: Mapping[str, Read] = MappingProxyType({})


def _given() -> Given:
    """What the function in which this runs may use."""
    tmp_mb = min(shutil.disk_usage("/tmp").total >> 20, sizes.MOST_TMP_MB)  # noqa: S108 -- all that a function may write to
    return Given(function_memory_mb(), tmp_mb, seconds=0)


class ComputingDriver(LakeDriver):
    """All of shared_metadata.contract.organize.Driver but `refresh`, which may be `computed`."""

    def _fits(self, work: Work, reads: Mapping[str, Mapping[str, Any]], most: int) -> tuple[bool, str]:
        """Whether DuckDB computes it in the function, and why: the same at each attempt, for inputs are read at their versions.

        most: bytes of the inputs' files; 0 for what the function holds.
        """
        tables = self._tables(work)
        size = sum(tables.bytes(dataset, int(pointer["snapshot_id"])) for dataset, pointer in reads.items())
        most = most or sizes.most_bytes(_given())
        return size <= most, f"its inputs are {size / 10**9:,.3f} GB, and {HERE} is given {most / 10**9:,.3f} GB"

    def computed(
        self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, given: Mapping[str, Read] = NOTHING
    ) -> dict[str, Any]:
        """given: tables that the query names besides, by the datasets as which it does."""
        flow, tables, result = work.flow, self._tables(work), work.flow.kind == Kind.RESULT
        folder = staging.url(work.table.dataset, "result") if result else self._folder(work)
        with self._ready(work, reads, given, flow.query, folder) as engine:
            columns = result_columns(engine.describe(flow.query), place=str(flow.position))
            self._columns_exist(work, columns)
            if not result:
                tables.fits(work.table.dataset, columns)
            hidden = "" if result or flow.mode == Mode.REPLACE else to_text(work.claim.interval.start)
            query = relations.result_query(flow.query, columns, hidden)
            files = engine.write(query, folder, () if result else flow.partition_by)
            if flow.mode == Mode.MERGE and files and not result:
                self._keys_are_unique(work, engine, columns, files)
        if hidden:
            columns = (*columns, SchemaColumn(VIEW_BATCH, "timestamptz"))
        return {"files": files, "columns": [asdict(column) for column in columns]}

    @contextlib.contextmanager
    def _ready(
        self, work: Work, reads: Mapping[str, Mapping[str, Any]], given: Mapping[str, Read], query: str, folder: str
    ) -> Iterator[Engine]:
        """DuckDB that reaches the batch's inputs at their versions, what else is given, and the folder into which it writes."""
        interval, tables = work.claim.interval, self._tables(work)
        inputs = {dataset: tables.read(dataset, int(pointer["snapshot_id"])) for dataset, pointer in reads.items()} | {**given}
        with self._engine(work) as engine:
            engine.only_select(query)
            engine.attach(inputs, work.flow.sees_deleted)
            engine.bound(to_text(interval.start), to_text(interval.end))
            engine.confine([url for version in inputs.values() for url in (*version.files, *version.deletes)], [folder + "/"])
            yield engine
