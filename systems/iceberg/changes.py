"""The change of a table by a batch's commit: files that are added, and files that are removed because rows in them are replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pyiceberg.expressions import BooleanExpression
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from shared_metadata.contract.batch_identity import Standing
from shared_metadata.contract.own_columns import DELETED, batch_column
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.parquet.left_rows import left_columns
from shared_metadata.contract.work import Work
from shared_metadata.program import Mode
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from systems.iceberg import relations
from systems.iceberg.engine import Engine
from systems.iceberg.iceberg_schema import columns_of
from systems.iceberg.merging import Merge
from systems.iceberg.rewriting import Rewriting
from systems.iceberg.tables import Change, Tables, Written, between

PRUNABLE = {"int", "long", "string", "date"}  # types of keys whose bounds are worth comparing with those of files
ORDINARY_DATE = re.compile(r"\d{4}-\d\d-\d\d")  # as pyiceberg reads them: neither infinite nor of a year that has more digits


class Changes:
    """The changes of one batch: `files` are prepared, as Engine.write gives them, `columns` theirs; `folder` gives a fresh place to
    write to.

    left: files with the keys of rows that the source has no more.  rewriting: rewrites files of the table as it stands.
    """

    def __init__(
        self,
        work: Work,
        tables: Tables,
        columns: Sequence[SchemaColumn],
        files: Sequence[Written],
        open_engine: Callable[[], Engine],
        folder: Callable[[Work], str],
        rewriting: Callable[[Table], Rewriting],
        left: Sequence[str] = (),
    ) -> None:
        self._work, self._tables, self._columns, self._files, self._left = work, tables, columns, files, left
        self._urls = [file["url"] for file in files]
        self._open_engine, self._folder, self._rewriting = open_engine, folder, rewriting

    def of(self, table: Table | None, stands: Standing) -> Change:
        """The change of a table. An older batch that is run again becomes a version of a REPLACE table, but not its current one."""
        mode, snapshot = self._work.flow.mode, table.current_snapshot() if table else None
        if mode == Mode.REPLACE:
            return Change(self._files, replace=True, aside=stands.newer)
        if table is None or snapshot is None:
            return Change(self._files)
        if mode == Mode.MERGE:
            return self._merge(table, snapshot.snapshot_id) if self._urls or self._left else Change(())
        if stands.again or self._work.claim.again:
            return self._append_again(table, snapshot.snapshot_id)
        return Change(self._files)

    def _append_again(self, table: Table, snapshot_id: int) -> Change:
        """Replaces the rows that this batch made before by its new ones."""
        interval, column, columns = self._work.claim.interval, batch_column(self._work.flow), columns_of(table.schema())
        if column not in (c.name for c in columns):
            return Change(self._files)
        start, end = interval.start.isoformat(), interval.end.isoformat()
        candidates = self._tables.files(table, snapshot_id, between(column, start, end))
        inside = relations.within(f"t.{identifier(column)}", start, end)
        with self._open_engine() as engine:
            held = engine.fetch(
                f"SELECT DISTINCT t.{relations.file_column(columns)} FROM {_stored(candidates, columns)} t WHERE {inside}"
            )
            removed, rest = self._rewrite(
                table,
                engine,
                candidates,
                held,
                lambda files: f"SELECT {relations.names(columns, 't')} FROM {_stored(files, columns)} t WHERE NOT {inside}",
            )
        return Change(self._files, removed, rest)

    def _merge(self, table: Table, snapshot_id: int) -> Change:
        """Copies on write those files only that hold a key of the batch; newer rows of the table stay as they are."""
        flow, merge = self._work.flow, self._how
        rows, stored_columns = relations.rows_of(self._urls, self._columns), columns_of(table.schema())
        left = relations.rows_of(self._left, left_columns(flow, self._columns)) if self._left else ""
        with self._open_engine() as engine:
            engine.fetch(merge.incoming(rows, left, self._columns))
            candidates = self._tables.files(table, snapshot_id, self._key_range(engine))
            engine.fetch(merge.met(_stored(candidates, stored_columns), stored_columns))
            held = engine.fetch("SELECT DISTINCT file FROM met WHERE NOT stays")
            engine.fetch(merge.outdated())
            start, marked = to_text(self._work.claim.interval.start), stored_columns
            if left and DELETED not in marked:
                marked = (*marked, DELETED)
            removed, rest = self._rewrite(
                table, engine, candidates, held, lambda files: merge.kept(_stored(files, marked), marked, start, left=bool(left))
            )
            brought = self._brought(engine, merge, rows)
        return Change(brought, removed, rest)

    def _brought(self, engine: Engine, merge: Merge, rows: str) -> Sequence[Written]:
        """The batch's rows; rewritten where some of them are outdated."""
        all_come = f"SELECT (SELECT count(*) FROM {rows}) > (SELECT count(*) FROM incoming WHERE NOT gone)"
        if self._files and engine.fetch(all_come)[0][0]:
            return self._write(engine, merge.brought(rows, self._columns))
        return self._files

    @property
    def _how(self) -> Merge:
        flow, batch = self._work.flow, batch_column(self._work.flow)
        return Merge(flow.key, flow.cursor if flow.cursor != batch else "", batch)

    def _rewrite(
        self,
        table: Table,
        engine: Engine,
        candidates: Sequence[DataFile],
        held: Sequence[tuple[str]],
        kept: Callable[[Sequence[DataFile]], str],
    ) -> tuple[list[DataFile], Sequence[Written]]:
        """The files that hold rows which go, by their names, and new ones of what `kept` selects of them."""
        gone = {name for (name,) in held}
        removed = [file for file in candidates if file.file_path in gone]
        if not removed:
            return [], []
        return removed, self._rewriting(table).of(removed, lambda files: self._write(engine, kept(files)), engine)

    def _key_range(self, engine: Engine) -> BooleanExpression | None:
        """The part of the table that may hold the incoming keys, by the first key column; None for all of it."""
        first = next(c for c in self._columns if c.name == self._work.flow.key[0])
        if first.type not in PRUNABLE:
            return None
        bounds = "min(k0)::VARCHAR, max(k0)::VARCHAR" if first.type == "date" else "min(k0), max(k0)"
        low, high, nulls = engine.fetch(f"SELECT {bounds}, count(*) - count(k0) FROM incoming")[0]
        if nulls or low is None or (first.type == "date" and not all(map(ORDINARY_DATE.fullmatch, (low, high)))):
            return None
        return between(first.name, low, high)

    def _write(self, engine: Engine, query: str) -> Sequence[Written]:
        return engine.write(query, self._folder(self._work), self._work.flow.partition_by)


def _stored(files: Sequence[DataFile], columns: Sequence[SchemaColumn]) -> str:
    return relations.rows_of([file.file_path for file in files], columns, file=True)
