"""What a batch's commit does to a table as it stands: which files come, and which go because rows in them are replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyiceberg.expressions import BooleanExpression
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from shared_metadata.contract.duckdb_session import identifier
from shared_metadata.contract.steps import Work
from shared_metadata.program import Mode
from shared_metadata.records import SchemaColumn
from slices.organize.iceberg import logic
from slices.organize.iceberg.batch_identity import Standing
from slices.organize.iceberg.engine import Engine
from slices.organize.iceberg.iceberg_schema import columns_of
from slices.organize.iceberg.tables import Change, Tables, between

PRUNABLE = {"int", "long", "string", "date"}  # types of keys whose bounds are worth comparing with those of files


class Changes:
    """Of one batch: `urls` are its prepared files, `columns` theirs; `folder` gives a fresh place to write to."""

    def __init__(
        self,
        work: Work,
        tables: Tables,
        columns: Sequence[SchemaColumn],
        urls: Sequence[str],
        open_engine: Callable[[], Engine],
        folder: Callable[[Work], str],
    ) -> None:
        self._work, self._tables, self._columns, self._urls = work, tables, columns, urls
        self._open_engine, self._folder = open_engine, folder

    def of(self, table: Table | None, stands: Standing) -> Change:
        """An older batch that is run again becomes a version of a REPLACE table, but not its current one."""
        mode, snapshot = self._work.flow.mode, table.current_snapshot() if table else None
        if mode == Mode.REPLACE:
            return Change(self._urls, replace=True, aside=stands.newer)
        if table is None or snapshot is None:
            return Change(self._urls)
        if mode == Mode.MERGE:
            return self._merge(table, snapshot.snapshot_id) if self._urls else Change(())
        if stands.again or self._work.claim.again:
            return self._append_again(table, snapshot.snapshot_id)
        return Change(self._urls)

    def _append_again(self, table: Table, snapshot_id: int) -> Change:
        """This batch's rows instead of those that it made before."""
        interval, column = self._work.claim.interval, logic.batch_column(self._work.flow)
        if column not in table.schema().column_names:
            return Change(self._urls)
        start, end = interval.start.isoformat(), interval.end.isoformat()
        candidates = self._tables.files(table, snapshot_id, between(column, start, end))
        inside = logic.within(column, start, end)
        with self._open_engine() as engine:
            held = engine.fetch(f"SELECT DISTINCT atoll_file FROM {_stored(table, candidates)} WHERE {inside}")
            removed, rest = self._rewrite(engine, table, candidates, held, f"WHERE NOT {inside}")
        return Change([*self._urls, *rest], removed)

    def _merge(self, table: Table, snapshot_id: int) -> Change:
        """Copy on write of those files only that hold a key of the batch; rows that the table has newer stay as they are."""
        key, order = self._work.flow.key, self._work.flow.cursor or logic.batch_column(self._work.flow)
        compared = order if order in table.schema().column_names else ""
        with self._open_engine() as engine:
            engine.fetch(logic.incoming_keys(self._urls, self._columns, key, order))
            candidates = self._tables.files(table, snapshot_id, self._key_range(engine, key))
            engine.fetch(logic.met_keys(_stored(table, candidates), key, compared))
            held = engine.fetch("SELECT DISTINCT atoll_file FROM met WHERE atoll_newer IS NOT TRUE")
            urls = self._without_outdated(engine, key)
            kept = f"ANTI JOIN incoming n ON {logic.same_key(key, 't', 'n')}"
            removed, rest = self._rewrite(engine, table, candidates, held, kept)
        return Change([*urls, *rest], removed)

    def _without_outdated(self, engine: Engine, key: Sequence[str]) -> Sequence[str]:
        """The batch's files, written anew if the table holds newer rows of some keys; those keys leave `incoming`."""
        if not engine.fetch("SELECT 1 FROM met WHERE atoll_newer LIMIT 1"):
            return self._urls
        engine.fetch(f"DELETE FROM incoming n USING met m WHERE m.atoll_newer AND {logic.same_key(key, 'n', 'm')}")
        source, on = logic.rows_of(self._urls, self._columns), logic.same_key(key, "s", "n")
        return self._write(engine, f"SELECT {logic.names(self._columns, 's')} FROM {source} s SEMI JOIN incoming n ON {on}")

    def _rewrite(
        self, engine: Engine, table: Table, candidates: Sequence[DataFile], held: Sequence[tuple[str]], kept: str
    ) -> tuple[list[DataFile], list[str]]:
        """The files that hold rows which go, by their names, and new ones with their rows that are kept."""
        gone = {name for (name,) in held}
        removed = [file for file in candidates if file.file_path in gone]
        if not removed:
            return [], []
        columns = logic.names(columns_of(table.schema()), "t")
        return removed, self._write(engine, f"SELECT {columns} FROM {_stored(table, removed)} t {kept}")

    def _key_range(self, engine: Engine, key: Sequence[str]) -> BooleanExpression | None:
        """What of the table the incoming keys can be in, by the first key column; None for all of it."""
        first = next(c for c in self._columns if c.name == key[0])
        if first.type not in PRUNABLE:
            return None
        name = identifier(first.name)
        low, high, nulls = engine.fetch(f"SELECT min({name}), max({name}), count(*) - count({name}) FROM incoming")[0]
        if nulls or low is None:
            return None
        return between(first.name, *(value.isoformat() if first.type == "date" else value for value in (low, high)))

    def _write(self, engine: Engine, query: str) -> list[str]:
        return [file["url"] for file in engine.write(query, self._folder(self._work), self._work.flow.partition_by)]


def _stored(table: Table, files: Sequence[DataFile]) -> str:
    return logic.rows_of([file.file_path for file in files], columns_of(table.schema()), filename=True)
