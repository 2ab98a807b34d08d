"""One batch at its table: brings the changes to staging tables, and applies them with the receipt in one transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from shared_metadata.contract.duckdb_session import identifier
from shared_metadata.contract.harness import Published
from shared_metadata.contract.staging import Staging
from shared_metadata.contract.steps import Deadline, Work
from shared_metadata.errors import RetryLater, RowError, StaleToken
from shared_metadata.program import Mode
from slices.harness.postgres import database as db
from slices.harness.postgres import logic, statements
from slices.harness.postgres.changes import key_of
from slices.harness.postgres.logic import TargetColumn, TargetTable
from slices.harness.postgres.receipts import Receipt, Receipts
from slices.harness.postgres.results import Results
from slices.harness.postgres.statements import FILE

COPY_BLOCK_BYTES = 1 << 20
CSV_ROWS = 1_000_000  # in /tmp at once, however well their file is compressed
NULL_CHARACTER_REMEDY = "replace(x, chr(0), '') in the query, or set such rows aside with TOLERATE … BAD ROWS"
Changes = Mapping[str, Any]
T = TypeVar("T")


class Batch:
    """The connection, the table as it is, its staging tables.

    schema, user: of the receipts, and who works with them.  origin: where the connection is declared.
    """

    csv_rows = CSV_ROWS
    suffix = ""  # of the staging tables' names
    resume: Mapping[str, Any] = {"sifting": False}  # the resume token

    def __init__(self, connection: db.Connection, schema: str, user: str, origin: str, work: Work, deadline: Deadline) -> None:
        self._connection, self._schema, self._user, self._work, self._deadline = connection, schema, user, work, deadline
        self.place = f"{work.flow.position}: {work.table.dataset}"
        self.receipts = Receipts(connection, schema, user, origin)
        self._names = logic.table_name(work.table.dataset, work.flow.connection)
        self._table: TargetTable | None = None

    def publish(self, results: Results, changes: Changes, staging: Staging) -> Published:
        """Until it is published or the deadline is near. Raises RowError when the database refuses a row."""
        with self.translated():
            if receipt := self.published(changes):
                return Published(rejected=receipt.rejected)
            self.prepare(changes)
            missing = self.missing_parts(changes)
        for number in missing:
            self.bring(results, changes, number)
            if self._deadline.near:
                return Published(self.resume)
        return self._brought(results, changes, staging)

    def _brought(self, results: Results, changes: Changes, staging: Staging) -> Published:
        """Applies what has been brought."""
        return self._transacted(changes, lambda: self.apply(changes))

    def _transacted(self, changes: Changes, apply: Callable[[], T]) -> T:
        """A worker that is not the batch's any more leaves no staging tables behind."""
        with self.translated():
            try:
                return db.retried(apply)
            except StaleToken:
                self.drop_stages(changes)
                raise

    @cached_property
    def _prefix(self) -> str:
        return logic.stage_prefix(self._work.flow.id, self._work.claim.interval.start.isoformat())

    @cached_property
    def _stage(self) -> str:
        return f"{self._prefix}{self._work.claim.token}{self.suffix}"

    def table(self, columns: Sequence[Mapping[str, Any]]) -> TargetTable:
        if self._table is None:
            found = db.read_table(self._connection, *self._names)
            self._table = found or logic.new_table(*self._names, columns, key_of(self._work))
        return self._table

    def translated(self, columns: Sequence[str] = ()) -> AbstractContextManager[None]:
        return db.translated(self.place, self._table, self._user, columns)

    def published(self, changes: Changes) -> Receipt | None:
        """This batch's receipt, if it is there. Raises StaleToken for an older token or batch."""
        claim, receipts = self._work.claim, self.receipts.of(self._work.flow.id)
        mine = next((r for r in receipts if r.start == claim.interval.start), None)
        if mine and mine.token == claim.token and mine.result == changes["result"]:
            return mine
        last = receipts[-1] if receipts else None
        if (mine and mine.token > claim.token) or (changes["forget"] and last and last.start > claim.interval.start):
            raise StaleToken(f"the database holds a later state than batch {claim.interval}, token {claim.token}", place=self.place)
        base = last if changes["forget"] else mine
        if (base.mark if base else None) != changes["base"]:
            raise RetryLater("another worker published since the changes were worked out", place=self.place)
        return None

    def prepare(self, changes: Changes) -> None:
        """Makes the staging tables of this token and drops those of earlier ones, whose workers gave up."""
        schema, mine = self._schema, {f"{self._stage}_{into}" for into in self._stages(changes)}
        found = self._connection.execute(
            "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)", (schema, self._prefix)
        )
        for (name,) in found.fetchall():
            if name not in mine:
                self._connection.execute(f"DROP TABLE IF EXISTS {identifier(schema)}.{identifier(name)}")
        for into in self._stages(changes):
            self._create(into, changes)

    def _create(self, into: str, changes: Changes) -> None:
        self._connection.execute(statements.create_stage(self._sql(into), self._columns(changes, into)))

    def missing_parts(self, changes: Changes) -> list[int]:
        """The numbers of the files' parts that are not brought yet; each was brought as a whole or not at all."""
        brought: set[int] = set()
        for into in self._stages(changes):
            rows = self._connection.execute(f"SELECT DISTINCT {FILE} FROM {self._sql(into)}")
            brought |= {number for (number,) in rows}
        return [number for number in range(len(self._parts(changes))) if number not in brought]

    def bring(self, results: Results, changes: Changes, number: int) -> None:
        """Copies one part of a file into its staging table, as a whole, unless another call of this step, given up but still at
        work, did. It is read from S3 before the transaction, which would keep the other call waiting or end idle."""
        file, first = self._parts(changes)[number]
        columns = self._mapped(changes, file["into"])
        copy = statements.copy_in(self._sql(file["into"]), [FILE, *(column.name for column in columns.values())])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            results.write_csv(file, [str(number)], columns, (first, first + self.csv_rows), path)
            try:
                with self.translated([c.name for c in columns.values()]), self._connection.transaction():
                    if self._is_missing(file["into"], number):
                        self._copy(copy, _blocks(path))
            except RowError as error:
                unstorable = [columns[name].name for name in results.holding_null_characters(file, list(columns))]
                if not unstorable:
                    raise
                what = f"the character U+0000 in column {', '.join(unstorable)} of {'.'.join(self._names)}"
                raise RowError(what, place=self.place, remedy=NULL_CHARACTER_REMEDY) from error

    def _is_missing(self, into: str, number: int) -> bool:
        """Whether a part is to be brought; nobody else brings to this staging table until the transaction ends. Another call that
        does is waited for however long it takes, at most for what this call has: it is no failure."""
        stage = self._sql(into)
        self._connection.execute("SET LOCAL lock_timeout = 0")
        self._connection.execute(f"LOCK TABLE {stage} IN SHARE ROW EXCLUSIVE MODE")
        held = self._connection.execute(f"SELECT 1 FROM {stage} WHERE {FILE} = %s LIMIT 1", (number,))
        return held.fetchone() is None

    def _copy(self, statement: str, blocks: Iterable[bytes]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement) as into:
            for block in blocks:
                into.write(block)

    def apply(self, changes: Changes) -> Published:
        """One transaction: receipts looked at under a lock, deletes, upserts, receipt; nothing but its staging tables goes when it is
        published already."""
        self._analyze(changes)
        with self._connection.transaction():
            self.receipts.lock(self._work.flow.id)
            receipt = self.published(changes)
            if not receipt:
                for statement in [*self._before(changes), *self._rows(changes)]:
                    self._connection.execute(statement)
                self.receipts.put(self._work.claim, changes)
            self.drop_stages(changes)
        return Published(rejected=receipt.rejected if receipt else ())

    def _analyze(self, changes: Changes) -> None:
        for into in self._stages(changes):
            self._connection.execute(f"ANALYZE {self._sql(into)}")

    def drop_stages(self, changes: Changes) -> None:
        for into in self._stages(changes):
            self._connection.execute(f"DROP TABLE IF EXISTS {self._sql(into)}")

    def _before(self, changes: Changes) -> list[str]:
        """What is done to the table before the batch's rows are written."""
        table, mode, deletes = self.table(changes["columns"]), self._work.flow.mode, "deletes" in self._stages(changes)
        key = [self._mapped(changes, "upserts")[name].name for name in key_of(self._work)]
        made = [] if table.exists else [logic.create_statement(table, key)]
        lock = f"LOCK TABLE {table.sql} IN SHARE ROW EXCLUSIVE MODE"  # writers wait, readers do not
        if mode == Mode.REPLACE:
            return [*made, lock, statements.delete_others(table, self._sql("upserts"), self._columns(changes, "upserts"))]
        if mode == Mode.APPEND:
            like = [lock, statements.delete_like(table, self._sql("deletes"), self._columns(changes, "deletes"))] if deletes else []
            return [*made, *like]
        guarded = [] if frozenset(key) in table.unique else [lock]
        return [*made, *guarded, *([statements.delete_keys(table, self._sql("deletes"), key)] if deletes else [])]

    def _rows(self, changes: Changes) -> list[str]:
        """What writes the batch's rows."""
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if "upserts" not in self._stages(changes):
            return []
        if self._work.flow.mode == Mode.REPLACE:
            return [statements.insert_missing(table, self._sql("upserts"), columns)]
        return self._written(changes, self._sql("upserts"))

    def _written(self, changes: Changes, rows: str) -> list[str]:
        """What writes these rows; the table has none of them if it is not MERGE."""
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if self._work.flow.mode != Mode.MERGE:
            return [statements.insert_all(table, rows, columns)]
        key = [self._mapped(changes, "upserts")[name].name for name in key_of(self._work)]
        return statements.upsert(table, rows, columns, key)

    def _stages(self, changes: Changes) -> list[str]:
        needed = {file["into"] for file in changes["files"]}
        return sorted(needed | ({"upserts"} if self._work.flow.mode == Mode.REPLACE else set()))

    def _mapped(self, changes: Changes, into: str) -> dict[str, TargetColumn]:
        """Result column ▸ target column, of a staging table."""
        table = self.table(changes["columns"])
        wanted = changes["deleted"] if into == "deletes" else changes["written"]
        return {name: column for name in wanted if (column := table.column(name))}

    def _columns(self, changes: Changes, into: str) -> list[TargetColumn]:
        return list(self._mapped(changes, into).values())

    def _sql(self, into: str) -> str:
        return f"{identifier(self._schema)}.{identifier(f'{self._stage}_{into}')}"

    def _parts(self, changes: Changes) -> list[tuple[dict[str, Any], int]]:
        """(file, its first row) of what is brought at a time, in the same order in every call."""
        return [(file, first) for file in changes["files"] for first in range(0, file["rows"], self.csv_rows)]


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as rows:
        while block := rows.read(COPY_BLOCK_BYTES):
            yield block
