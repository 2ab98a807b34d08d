"""The staging tables of a batch: makes them, and copies the files of `diff` into them, a part of a file at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import psycopg

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.results.changes import key_of
from shared_metadata.contract.results.results import Results, Written
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.work import Work
from shared_metadata.errors import RowError
from shared_metadata.program import Mode
from slices.harness.postgres import database as db
from slices.harness.postgres import logic, refusals, statements
from slices.harness.postgres.catalog import read_table
from slices.harness.postgres.column_types import csv_value
from slices.harness.postgres.logic import TargetColumn, TargetTable
from slices.harness.postgres.receipts import Receipts
from slices.harness.postgres.statements import FILE

COPY_BLOCK_BYTES = 1 << 20
CSV_ROWS = 1_000_000  # in /tmp at once, however well their file is compressed
NULL_CHARACTER_REMEDY = "replace(x, chr(0), '') in the query, or set such rows aside with TOLERATE … BAD ROWS"
Changes = Mapping[str, Any]


class Brought:
    """The connection, the table as it is, its staging tables.

    schema, user: the receipts' schema, and the user that works with them.  origin: where the connection is declared.
    """

    csv_rows = CSV_ROWS
    suffix = ""  # of the staging tables' names

    def __init__(self, connection: db.Connection, schema: str, user: str, origin: str, work: Work, deadline: Deadline) -> None:
        self._connection, self._schema, self._user, self._work, self._deadline = connection, schema, user, work, deadline
        self.place = f"{work.flow.position}: {work.table.dataset}"
        self.receipts = Receipts(connection, schema, user, origin)
        self._names = logic.table_name(work.table.dataset, work.flow.connection)
        self._table: TargetTable | None = None

    @cached_property
    def _prefix(self) -> str:
        return logic.stage_prefix(self._work.flow.id, self._work.claim.interval.start.isoformat())

    @cached_property
    def _stage(self) -> str:
        return f"{self._prefix}{self._work.claim.token}{self.suffix}"

    def table(self, columns: Sequence[Mapping[str, Any]]) -> TargetTable:
        """Raises DefinitionError where policies would hide rows of it."""
        if self._table is None:
            found = read_table(self._connection, *self._names)
            if found and found.guarded:
                raise refusals.row_security(found, self.place, self._user)
            self._table = found or logic.new_table(*self._names, columns, key_of(self._work))
        return self._table

    @contextmanager
    def translated(self, columns: Sequence[str] = ()) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            awaited = refusals.awaited(error, self._table, self._work, self.place)
            raise awaited or refusals.explained(error, self.place, self._table, self._user, columns) from None

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
        """The numbers of the files' parts that are not staged yet; each is staged as a whole or not at all."""
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
        copy = statements.copy_in(self._sql(file["into"]), [FILE], list(columns.values()))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            results.write_csv(file, [str(number)], csv_values(columns), (first, first + self.csv_rows), path)
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
        """Whether a part is still to be staged; locks the staging table until the transaction ends. It waits for another call that
        holds the lock as long as this call has time: that is no failure.
        """
        stage = self._sql(into)
        self._connection.execute("SET LOCAL lock_timeout = 0")
        self._connection.execute(f"LOCK TABLE {stage} IN SHARE ROW EXCLUSIVE MODE")
        held = self._connection.execute(f"SELECT 1 FROM {stage} WHERE {FILE} = %s LIMIT 1", (number,))
        return held.fetchone() is None

    def _copy(self, statement: str, blocks: Iterable[bytes]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement) as into:
            for block in blocks:
                into.write(block)

    def drop_stages(self, changes: Changes) -> None:
        for into in self._stages(changes):
            self._connection.execute(f"DROP TABLE IF EXISTS {self._sql(into)}")

    def _relation(self, changes: Changes, into: str) -> str:
        """The rows of a staging table; '' where the batch has none."""
        there = into in self._stages(changes)
        return statements.staged(self._sql(into), self._columns(changes, into)) if there else ""

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
        """(file, its first row) of each part, in the same order in every call."""
        return [(file, first) for file in changes["files"] for first in range(0, file["rows"], self.csv_rows)]


def csv_values(columns: Mapping[str, TargetColumn]) -> dict[str, Written]:
    """How each column's values are written for COPY."""
    return {name: partial(csv_value, base=column.base) for name, column in columns.items()}


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as rows:
        while block := rows.read(COPY_BLOCK_BYTES):
            yield block
