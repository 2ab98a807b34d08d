"""Publishes to one table of a PostgreSQL database: compares, brings the changes to a staging table, applies them at once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from shared_metadata.contract.duckdb_session import identifier
from shared_metadata.contract.services import Services
from shared_metadata.contract.staging import Staging
from shared_metadata.contract.steps import Deadline, Work
from shared_metadata.errors import RetryLater, RowError, StaleToken
from shared_metadata.program import Connection, Mode
from slices.harness.postgres import database as db
from slices.harness.postgres import logic, statements
from slices.harness.postgres.changes import compare, key_of
from slices.harness.postgres.config import read_config, read_credentials
from slices.harness.postgres.logic import TargetColumn, TargetTable
from slices.harness.postgres.receipts import Receipts
from slices.harness.postgres.results import Results

COPY_BLOCK_BYTES = 1 << 20
CSV_ROWS = 1_000_000  # in /tmp at once, however well their file is compressed


class PostgresTarget:
    """The Target of contract/harness.py; what it compares with is the target's own receipts, not what Atoll remembers."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any], services: Services) -> None:
        self._config = read_config(connection)
        self._credentials = read_credentials(connection, secret)
        self._place = f"connection {connection.name} ({connection.position})"
        self._services = services
        self._open: list[Any] = []

    def close(self) -> None:
        for opened in self._open:
            opened.close()

    def diff(self, work: Work, result: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """{'upserts', 'deletes', 'files', …}; reads receipts and table, writes nothing to the database but the receipts table."""
        batch = _Batch(self, work, deadline)
        columns = result["schema"]["columns"]
        with batch.translated():
            batch.receipts.ensure()
            receipts = batch.receipts.of(work.flow.id)
            matched = logic.matched(batch.table(columns), columns, key_of(work), batch.place)
        results = Results(self._services, batch.place, deadline)
        self._open.append(results)
        changes = compare(work, result, receipts, results, staging.url(work.table.dataset, "changes"))
        return {**changes, "columns": columns, "written": [c["name"] for c in columns if c["name"] in matched]}

    def publish(
        self, work: Work, changes: Mapping[str, Any], staging: Staging, resume: Mapping[str, Any] | None, deadline: Deadline
    ) -> Mapping[str, Any] | None:
        """Where to go on is read from the staging tables themselves; the token only says that there is more to do."""
        if changes["nothing"]:
            return None
        batch = _Batch(self, work, deadline)
        with batch.translated():
            if batch.published(changes):
                return None
            batch.prepare(changes)
            missing = batch.missing_parts(changes)
        results = Results(self._services, batch.place, deadline)
        self._open.append(results)
        for number in missing:
            batch.bring(results, changes, number)
            if deadline.near:
                return {"brought": number + 1}
        with batch.translated():
            try:
                db.retried(lambda: batch.apply(changes))
            except StaleToken:
                batch.drop_stages(changes)
                raise
        return None


class _Batch:
    """One batch at its table: the connection, the table as it is, its staging tables."""

    def __init__(self, target: PostgresTarget, work: Work, deadline: Deadline) -> None:
        self._work, self._config, self._user = work, target._config, target._credentials.username
        self.place = f"{work.flow.position}: {work.table.dataset}"
        self._connection = db.connect(target._credentials, target._place, target._config.secret, deadline)
        target._open.append(self._connection)
        self.receipts = Receipts(self._connection, self._config.receipts_schema, self._user, target._place)
        self._names = logic.table_name(work.table.dataset, work.flow.connection)
        self._table: TargetTable | None = None

    @cached_property
    def _stage(self) -> str:
        start = self._work.claim.interval.start.isoformat()
        return logic.stage_prefix(self._work.flow.id, start) + str(self._work.claim.token)

    def table(self, columns: Sequence[Mapping[str, Any]]) -> TargetTable:
        if self._table is None:
            found = db.read_table(self._connection, *self._names)
            self._table = found or logic.new_table(*self._names, columns, key_of(self._work))
        return self._table

    def translated(self, columns: Sequence[str] = ()) -> AbstractContextManager[None]:
        return db.translated(self.place, self._table, self._user, columns)

    def published(self, changes: Mapping[str, Any]) -> bool:
        """Whether this batch's receipt is there. Raises StaleToken for an older token or batch."""
        claim, receipts = self._work.claim, self.receipts.of(self._work.flow.id)
        mine = next((r for r in receipts if r.start == claim.interval.start), None)
        if mine and mine.token == claim.token and mine.result == changes["result"]:
            return True
        last = receipts[-1] if receipts else None
        if (mine and mine.token > claim.token) or (changes["forget"] and last and last.start > claim.interval.start):
            raise StaleToken(f"the database holds a later state than batch {claim.interval}, token {claim.token}", place=self.place)
        base = last if changes["forget"] else mine
        if (base.mark if base else None) != changes["base"]:
            raise RetryLater("another worker published since the changes were worked out", place=self.place)
        return False

    def prepare(self, changes: Mapping[str, Any]) -> None:
        """Makes the staging tables of this token and drops those of earlier ones, whose workers gave up."""
        schema, prefix = self._config.receipts_schema, self._stage.rpartition("_")[0] + "_"
        mine = {f"{self._stage}_{into}" for into in self._stages(changes)}
        found = self._connection.execute(
            "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)", (schema, prefix)
        )
        for (name,) in found.fetchall():
            if name not in mine:
                self._connection.execute(f"DROP TABLE IF EXISTS {identifier(schema)}.{identifier(name)}")
        for into in self._stages(changes):
            self._connection.execute(statements.create_stage(self._sql(into), self._columns(changes, into)))

    def missing_parts(self, changes: Mapping[str, Any]) -> list[int]:
        """The numbers of the files' parts that are not brought yet; each was brought as a whole or not at all."""
        brought: set[int] = set()
        for into in self._stages(changes):
            rows = self._connection.execute(f"SELECT DISTINCT {statements.FILE} FROM {self._sql(into)}")
            brought |= {number for (number,) in rows}
        return [number for number in range(len(_parts(changes))) if number not in brought]

    def bring(self, results: Results, changes: Mapping[str, Any], number: int) -> None:
        """Copies one part of a file into its staging table, as a whole, unless another call of this step, given up but still at
        work, did. It is read from S3 before the transaction, which would keep the other call waiting or end idle."""
        file, first = _parts(changes)[number]
        columns = self._mapped(changes, file["into"])
        copy = statements.copy_in(self._sql(file["into"]), list(columns.values()))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            results.write_csv(file, number, columns, (first, first + CSV_ROWS), path)
            try:
                with self.translated([c.name for c in columns.values()]), self._connection.transaction():
                    if self._is_missing(file["into"], number):
                        self._copy(copy, path)
            except RowError as error:
                unstorable = [columns[name].name for name in results.holding_null_characters(file, list(columns))]
                if not unstorable:
                    raise
                what = f"the character U+0000 in column {', '.join(unstorable)} of {'.'.join(self._names)}"
                raise RowError(what, place=self.place, remedy="replace(x, chr(0), '') in the query") from error

    def _is_missing(self, into: str, number: int) -> bool:
        """Whether a part is to be brought; nobody else brings to this staging table until the transaction ends. Another call that
        does is waited for however long it takes, at most for what this call has: it is no failure."""
        stage = self._sql(into)
        self._connection.execute("SET LOCAL lock_timeout = 0")
        self._connection.execute(f"LOCK TABLE {stage} IN SHARE ROW EXCLUSIVE MODE")
        held = self._connection.execute(f"SELECT 1 FROM {stage} WHERE {statements.FILE} = %s LIMIT 1", (number,))
        return held.fetchone() is None

    def _copy(self, statement: str, path: Path) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement) as into, path.open("rb") as rows:
            while block := rows.read(COPY_BLOCK_BYTES):
                into.write(block)

    def apply(self, changes: Mapping[str, Any]) -> None:
        """One transaction: receipts looked at under a lock, deletes, upserts, receipt; nothing but its staging tables goes when it is
        published already."""
        for into in self._stages(changes):
            self._connection.execute(f"ANALYZE {self._sql(into)}")
        with self._connection.transaction():
            self.receipts.lock(self._work.flow.id)
            if not self.published(changes):
                for statement in self._statements(changes):
                    self._connection.execute(statement)
                self.receipts.put(self._work.claim, changes)
            self.drop_stages(changes)

    def drop_stages(self, changes: Mapping[str, Any]) -> None:
        for into in self._stages(changes):
            self._connection.execute(f"DROP TABLE IF EXISTS {self._sql(into)}")

    def _statements(self, changes: Mapping[str, Any]) -> list[str]:
        table, mode, stages = self.table(changes["columns"]), self._work.flow.mode, self._stages(changes)
        upserts, deletes = self._sql("upserts"), self._sql("deletes")
        columns = self._columns(changes, "upserts")
        key = [self._mapped(changes, "upserts")[name].name for name in key_of(self._work)]
        made = [] if table.exists else [logic.create_statement(table, key)]
        lock = f"LOCK TABLE {table.sql} IN SHARE ROW EXCLUSIVE MODE"  # writers wait, readers do not
        if mode == Mode.REPLACE:
            return [*made, lock, *statements.make_equal(table, upserts, columns)]
        if mode == Mode.APPEND:
            gone = [lock, statements.delete_like(table, deletes, self._columns(changes, "deletes"))] if "deletes" in stages else []
            return [*made, *gone, *([statements.insert_all(table, upserts, columns)] if "upserts" in stages else [])]
        guarded = [] if frozenset(key) in table.unique else [lock]
        gone = [statements.delete_keys(table, deletes, key)] if "deletes" in stages else []
        return [*made, *guarded, *gone, *(statements.upsert(table, upserts, columns, key) if "upserts" in stages else [])]

    def _stages(self, changes: Mapping[str, Any]) -> list[str]:
        needed = {file["into"] for file in changes["files"]}
        return sorted(needed | ({"upserts"} if self._work.flow.mode == Mode.REPLACE else set()))

    def _mapped(self, changes: Mapping[str, Any], into: str) -> dict[str, TargetColumn]:
        """Result column ▸ target column, of a staging table."""
        table = self.table(changes["columns"])
        wanted = changes["deleted"] if into == "deletes" else changes["written"]
        return {name: column for name in wanted if (column := table.column(name))}

    def _columns(self, changes: Mapping[str, Any], into: str) -> list[TargetColumn]:
        return list(self._mapped(changes, into).values())

    def _sql(self, into: str) -> str:
        return f"{identifier(self._config.receipts_schema)}.{identifier(f'{self._stage}_{into}')}"


def _parts(changes: Mapping[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """(file, its first row) of what is brought at a time, in the same order in every call."""
    return [(file, first) for file in changes["files"] for first in range(0, file["rows"], CSV_ROWS)]
