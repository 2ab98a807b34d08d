"""The change of a table by a batch's commit: files that are added, and files that are removed because rows in them are replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

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
from systems.iceberg.beside import beside
from systems.iceberg.delete_files import delete_files, deleted_rows
from systems.iceberg.engine import Engine
from systems.iceberg.iceberg_schema import columns_of
from systems.iceberg.merging import Merge
from systems.iceberg.pruning import pruned
from systems.iceberg.rewriting import Rewriting
from systems.iceberg.tables import Tables, between
from systems.iceberg.versions import Change, Written

PRUNABLE = {"int", "long", "string", "date"}  # types of keys whose bounds are worth comparing with those of files
ORDINARY_DATE = re.compile(r"\d{4}-\d\d-\d\d")  # as pyiceberg reads them: neither infinite nor of a year that has more digits


class Changes:
    """The changes of one batch: `files` are prepared, as Engine.write gives them, `columns` theirs; `folder` gives a fresh place to
    write to.

    left: files with the keys of rows that the source has no more.  rewriting: rewrites files of the table as it stands.
    deletes: whether rows may be deleted beside their files.  whole: the source has no other rows than the batch's, but for those
    that were set aside.  there: files of their keys, and the batch's own from before some of its rows were.
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
        *,
        deletes: bool = False,
        whole: bool = False,
        there: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> None:
        self._work, self._tables, self._columns, self._files, self._left = work, tables, columns, files, left
        self._urls = [file["url"] for file in files]
        self._open_engine, self._folder, self._rewriting, self._may_delete = open_engine, folder, rewriting, deletes
        self._whole, (self._there, self._held) = whole, there

    def of(self, table: Table | None, stands: Standing) -> Change:
        """The change of a table. An older batch that is run again becomes a version of a REPLACE table, but not its current one."""
        mode, snapshot = self._work.flow.mode, table.current_snapshot() if table else None
        if mode == Mode.REPLACE:
            return Change(self._files, replace=True, aside=stands.newer)
        if table is None or snapshot is None:
            return Change(self._files)
        if mode == Mode.MERGE:
            return self._merge(table, snapshot.snapshot_id) if self._urls or self._left or self._whole else Change(())
        if stands.again or self._work.claim.again:
            return self._append_again(table, snapshot.snapshot_id)
        return Change(self._files)

    def _append_again(self, table: Table, snapshot_id: int) -> Change:
        """Replaces the rows that this batch made before by its new ones."""
        interval, column, columns = self._work.claim.interval, batch_column(self._work.flow), columns_of(table.schema())
        if column not in (c.name for c in columns):
            return Change(self._files)
        start, end = interval.start.isoformat(), interval.end.isoformat()
        candidates, stored = self._tables.files(table, snapshot_id, between(column, start, end)), _Stored(table, columns)
        inside = relations.within(f"t.{identifier(column)}", start, end)
        with self._open_engine() as engine:
            held = engine.fetch(f"SELECT DISTINCT t.{relations.file_column(columns)} FROM {stored.rows(candidates)} t WHERE {inside}")
            removed, rest = self._rewrite(
                table,
                engine,
                candidates,
                {name for (name,) in held},
                lambda files: f"SELECT {relations.names(columns, 't')} FROM {stored.rows(files)} t WHERE NOT {inside}",
            )
        return Change(self._files, removed, rest)

    def _merge(self, table: Table, snapshot_id: int) -> Change:
        """Writes those files only anew that hold a key of the batch, or names their rows as deleted; newer rows of the table stay."""
        flow, merge, stored = self._work.flow, self._how, _Stored(table, columns_of(table.schema()))
        rows = relations.rows_of(self._urls, self._columns)
        left = relations.rows_of(self._left, left_columns(flow, self._columns)) if self._left else ""
        every = self._tables.files(table, snapshot_id) if self._whole else []
        if every:
            there = [relations.rows_of(self._there, left_columns(flow, self._columns))] if self._there else []
            there += [relations.rows_of(self._held, self._columns)] if self._held else []
            left = merge.besides(left, stored.rows(every), to_text(self._work.claim.interval.start), there)
        with self._open_engine() as engine:
            engine.fetch(merge.incoming(rows, left, self._columns))
            candidates = every or self._candidates(table, snapshot_id, engine)
            engine.fetch(merge.met(stored.rows(candidates, deleted=True), stored.columns))
            if stored.deletes:
                engine.fetch(merge.live(stored.deletes))
            engine.fetch(merge.outdated())
            going = {path: (count, gone) for path, count, gone in engine.fetch(merge.going())}
            stay = self._beside(candidates, going, stored) if self._may_delete else set()
            start, marked = to_text(self._work.claim.interval.start), stored
            if left and DELETED not in stored.columns:
                marked = _Stored(table, (*stored.columns, DELETED))
            removed, rest = self._rewrite(
                table,
                engine,
                candidates,
                going.keys() - stay,
                lambda files: merge.kept(marked.rows(files), marked.columns, start, left=bool(left)),
            )
            within = {file.file_path: file for file in candidates if file.file_path in stay}
            deleted = dict(engine.fetch(merge.places(within))) if within else {}
            gone = [file for path, file in within.items() if going[path][1]]
            if gone:
                rest = [*rest, *self._write(engine, merge.marked(marked.rows(gone), marked.columns, start))]
            brought = self._brought(engine, merge, rows)
        return Change(brought, removed, rest, deleted=deleted, within=within, looked=sum(file.record_count for file in candidates))

    def _beside(self, candidates: Sequence[DataFile], going: Mapping[str, tuple[int, bool]], stored: _Stored) -> set[str]:
        """The files whose rows are deleted beside them."""
        counts, marked = {path: count for path, (count, _) in going.items()}, {path for path, (_, gone) in going.items() if gone}
        return beside(candidates, counts, stored.deleted_rows(), fresh=self._urls, marked=marked) if going else set()

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
        gone: Collection[str],
        kept: Callable[[Sequence[DataFile]], str],
    ) -> tuple[list[DataFile], Sequence[Written]]:
        """The files that hold rows which go, by their names, and new ones of what `kept` selects of them."""
        removed = [file for file in candidates if file.file_path in gone]
        if not removed:
            return [], []
        return removed, self._rewriting(table).of(removed, lambda files: self._write(engine, kept(files)), engine)

    def _candidates(self, table: Table, snapshot_id: int, engine: Engine) -> list[DataFile]:
        """The files that may hold an incoming key."""
        known = {column.name: column for column in self._columns}
        files = self._tables.files(table, snapshot_id, self._key_range(engine))
        return pruned(engine, files, table.schema(), [known[name] for name in self._work.flow.key])

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


class _Stored:
    """The rows of a table as it stands."""

    def __init__(self, table: Table, columns: Sequence[SchemaColumn]) -> None:
        self.columns, self._io = columns, table.io
        self._deletes = delete_files(table, table.metadata.current_snapshot_id)

    @property
    def deletes(self) -> list[str]:
        """The URLs of the delete files."""
        return [file.file_path for file in self._deletes]

    def rows(self, files: Sequence[DataFile], *, deleted: bool = False) -> str:
        """The relation of those of these files, with where each row is.  deleted: with those that are deleted beside them."""
        return relations.rows_of([file.file_path for file in files], self.columns, () if deleted else self.deletes, file=True)

    def deleted_rows(self) -> dict[str, int]:
        """Path of a file ▸ how many of its rows are deleted."""
        return deleted_rows(self._io, self._deletes)
