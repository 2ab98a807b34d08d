"""The staging tables of a batch: makes them, and brings the files of `diff` into them, a part of a file at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from shared_metadata.contract.results.changes import key_of
from shared_metadata.contract.results.results import Results, Written
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.work import Work
from shared_metadata.errors import RowError
from shared_metadata.program import Mode
from systems.sql_target import table as tables
from systems.sql_target.dialect import Session
from systems.sql_target.parents import awaited
from systems.sql_target.receipts import Receipts
from systems.sql_target.statements import PART, places, staged
from systems.sql_target.table import TargetColumn, TargetTable

BLOCK_BYTES = 1 << 20
CSV_ROWS = 1_000_000  # in /tmp at once, however well their file is compressed
NULL_CHARACTER_REMEDY = "replace(x, chr(0), '') in the query, or set such rows aside with TOLERATE … BAD ROWS"
PARTS = "parts"  # the end of the name of the table of the numbers of what is staged
Changes = Mapping[str, Any]


class Staged:
    """The session, the table as it is, its staging tables. schema: the receipts' schema."""

    csv_rows = CSV_ROWS
    suffix = ""  # of the staging tables' names

    def __init__(self, session: Session, schema: str, work: Work, deadline: Deadline) -> None:
        self.session, self._dialect, self._schema = session, session.dialect, schema
        self._work, self._deadline = work, deadline
        self.place = work.place
        self.receipts = Receipts(session, schema)
        self._names = tables.table_name(work.table.dataset, work.flow.connection, self._dialect.default_schema)
        self._table: TargetTable | None = None

    @cached_property
    def _prefix(self) -> str:
        return tables.stage_prefix(self._work.flow.id, self._work.claim.interval.start.isoformat())

    @cached_property
    def _stage(self) -> str:
        return f"{self._prefix}t{self._work.claim.token}{self.suffix}"

    def table(self, columns: Sequence[Mapping[str, Any]]) -> TargetTable:
        """Raises DefinitionError where policies would hide rows of it."""
        if self._table is None:
            if found := self.session.read_table(*self._names):
                self.session.check_table(found, self.place)
            self._table = found or self._dialect.new_table(*self._names, columns, key_of(self._work))
        return self._table

    @contextmanager
    def translated(self, columns: Sequence[str] = ()) -> Iterator[None]:
        try:
            yield
        except self.session.error as error:
            constraint = self.session.missing_parent(error, self._table)
            waits = awaited(constraint, self._table, self._work, self.place, self._dialect.default_schema)
            raise waits or self.session.explained(error, self.place, self._table, columns) from None

    # -- the tables

    def prepare(self, changes: Changes) -> None:
        """Makes the staging tables of this token and drops those of earlier ones, whose workers gave up."""
        mine = dict.fromkeys(self._all(changes))
        for name in self.session.tables(self._schema, self._prefix):
            if name.removeprefix(f"{self._stage}_") not in mine:
                self.session.run(f"DROP TABLE IF EXISTS {self._quoted(name)}")
        for into in mine:
            self._create(into, changes)

    def _create(self, into: str, changes: Changes) -> None:
        self.session.run(self._dialect.create_stage(self._sql(into), *self._shape(into, changes)))

    def _shape(self, into: str, changes: Changes) -> tuple[list[str], Sequence[TargetColumn]]:
        """The definitions of columns of ours, and the columns of the table."""
        if into == PARTS:
            return [f"{PART} integer PRIMARY KEY"], ()
        if into in self._stages(changes):
            return [], self._columns(changes, into)
        held = self._working(changes)[into]
        return ([], held) if held is not None else (["digest char(64) PRIMARY KEY", "n bigint NOT NULL"], ())

    def _all(self, changes: Changes) -> list[str]:
        """The ends of the names of all tables of ours; that of parts last, so that no part seems to be there without its rows."""
        return [*self._stages(changes), *self._working(changes), PARTS]

    def _working(self, changes: Changes) -> Mapping[str, Sequence[TargetColumn] | None]:
        table = self.table(changes["columns"])
        return self._dialect.working(table, self._work.flow.mode, self._columns(changes, "upserts"))

    def drop_stages(self, changes: Changes) -> None:
        for into in self._all(changes):
            self.session.run(f"DROP TABLE IF EXISTS {self._sql(into)}")

    def drop_left(self) -> None:
        """Drops what is left of a batch that is published: who published it may have ended before it had dropped all."""
        for name in self.session.tables(self._schema, self._prefix):
            self.session.run(f"DROP TABLE IF EXISTS {self._quoted(name)}")

    # -- their rows

    def missing_parts(self, changes: Changes) -> list[int]:
        """The numbers of the files' parts that are not staged yet; each is staged as a whole or not at all."""
        brought = {number for (number,) in self.session.ask(f"SELECT {PART} FROM {self._sql(PARTS)}")}
        return [number for number in range(len(self._parts(changes))) if number not in brought]

    def bring(self, results: Results, changes: Changes, number: int) -> None:
        """Copies one part of a file into its staging table, as a whole, unless another call of this step, given up but still at
        work, did. It is read from S3 before the transaction, which would keep the other call waiting or end idle."""
        file, first = self._parts(changes)[number]
        columns = self._mapped(changes, file["into"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            results.write_csv(file, [], self._written(columns), (first, first + self.csv_rows), path)
            try:
                with self.translated([c.name for c in columns.values()]), self.session.transaction():
                    if self._is_mine(number):
                        self.session.copy(self._sql(file["into"]), places(list(columns.values())), _blocks(path))
            except RowError as error:
                unstorable = [columns[name].name for name in results.holding_null_characters(file, list(columns))]
                if not unstorable or self._dialect.types.takes_null_characters:
                    raise
                what = f"the character U+0000 in column {', '.join(unstorable)} of {'.'.join(self._names)}"
                raise RowError(what, place=self.place, remedy=NULL_CHARACTER_REMEDY) from error

    def _is_mine(self, number: int) -> bool:
        """Whether a part is still to be staged; no other call stages it until the transaction ends. It waits for another call that
        does as long as this call has time: that is no failure.
        """
        with self.session.wait():
            return self.session.run(self._dialect.mark(self._sql(PARTS)), (number,)) > 0

    def described(self, changes: Changes, into: str) -> tuple[str, dict[str, str], dict[str, Written]]:
        """The table, its columns ▸ their types, and how each column of the result is written into them."""
        columns = self._mapped(changes, into)
        return ".".join(self._names), {c.name: c.type for c in columns.values()}, self._written(columns)

    def _relation(self, changes: Changes, into: str) -> str:
        """The rows of a staging table; '' where the batch has none."""
        there = into in self._stages(changes)
        return staged(self._sql(into), self._columns(changes, into)) if there else ""

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

    def _written(self, columns: Mapping[str, TargetColumn]) -> dict[str, Written]:
        """How each column's values are written."""
        return {name: partial(self._dialect.types.written, column=column) for name, column in columns.items()}

    def _sql(self, into: str) -> str:
        return self._quoted(f"{self._stage}_{into}")

    def _quoted(self, name: str) -> str:
        return f"{self._dialect.quote(self._schema)}.{self._dialect.quote(name)}"

    def _parts(self, changes: Changes) -> list[tuple[dict[str, Any], int]]:
        """(file, its first row) of each part, in the same order in every call."""
        return [(file, first) for file in changes["files"] for first in range(0, file["rows"], self.csv_rows)]


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as rows:
        while block := rows.read(BLOCK_BYTES):
            yield block
