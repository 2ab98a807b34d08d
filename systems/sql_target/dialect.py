"""What a database has to say of its SQL, and of a session with it, so that batches can be published to its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from shared_metadata.errors import AtollError
from shared_metadata.program import Mode

if TYPE_CHECKING:
    from systems.sql_target.table import TargetColumn, TargetTable

T = TypeVar("T")
Values = Sequence[Any]
Ours = Callable[[str], str]  # of the end of its name, a table of ours as SQL names it


class Types(Protocol):
    """Its types and names, beside those of a result. takes_null_characters: a text may hold U+0000."""

    takes_null_characters: bool

    def made(self, iceberg_type: str) -> str:
        """The type of a column that is made for values of the type."""
        ...

    def misfit(self, column: TargetColumn, iceberg_type: str) -> str:
        """Why values of the type cannot be published to the column, in words that follow the column's type; '' where they can."""
        ...

    def tells_apart(self, column: TargetColumn, iceberg_type: str) -> bool:
        """Whether values that differ in the result differ in the column too."""
        ...

    def written(self, value: str, duckdb_type: str, column: TargetColumn) -> str:
        """DuckDB's SQL of a value as text, as `Session.copy` reads it for the column; null for null."""
        ...

    def unnameable(self, name: str) -> str:
        """Why no column can have the name; '' where one can."""
        ...


class Dialect(Protocol):
    """Its SQL. stage: of a table of ours, as SQL names it.  rows, gone: relations with the table's names of columns.

    transactional: what makes and drops tables is undone with the transaction around it; where it is not, tables are made before the
        transaction that publishes, and dropped after it.
    default_schema: of a table that a program names without one.
    receipts: the columns of the table of receipts.
    """

    types: Types
    transactional: bool
    default_schema: str
    receipts: str

    def quote(self, name: str) -> str: ...

    def moment(self, text: str) -> str:
        """The literal of a moment, which is given as '2026-01-01T00:00:00Z'."""
        ...

    def new_table(self, schema: str, name: str, columns: Sequence[Mapping[str, Any]], key: Sequence[str]) -> TargetTable: ...

    def create_table(self, table: TargetTable, key: Sequence[str]) -> str: ...

    def create_stage(self, stage: str, marks: Sequence[str], columns: Sequence[TargetColumn]) -> str:
        """marks: definitions of columns of ours."""
        ...

    def working(self, table: TargetTable, mode: Mode, columns: Sequence[TargetColumn]) -> Mapping[str, Sequence[TargetColumn] | None]:
        """Tables that the statements need beside the staged rows: the end of the name ▸ columns, None for one of digests."""
        ...

    def mark(self, parts: str) -> str:
        """Inserts a part's number into the table of those that are staged, or nothing where it is there."""
        ...

    def before(self, table: TargetTable, mode: Mode, key: Sequence[TargetColumn], *, deletes: bool, sifting: bool) -> list[str]:
        """What is done first in a transaction that writes rows: how constraints are checked, and locks on the table.

        deletes: an APPEND takes rows out.  sifting: each statement is to be refused by itself.
        """
        ...

    def merge(
        self, table: TargetTable, rows: str, columns: Sequence[TargetColumn], key: Sequence[TargetColumn], gone: str = ""
    ) -> list[str]:
        """Deletes the keys that go, and writes rows that are new or stored otherwise."""
        ...

    def delete_keys(self, table: TargetTable, gone: str, key: Sequence[TargetColumn], kept: str = "") -> str:
        """Deletes the keys of a relation; not those that the relation `kept` has, which the table's types may take for equal."""
        ...

    def insert_all(self, table: TargetTable, rows: str, columns: Sequence[TargetColumn]) -> list[str]: ...

    def replace(self, table: TargetTable, ours: Ours, columns: Sequence[TargetColumn]) -> list[str]:
        """Deletes what 'upserts' does not hold, and inserts what the table does not hold; like rows stay untouched."""
        ...

    def clear(self, table: TargetTable, ours: Ours, columns: Sequence[TargetColumn]) -> list[str]:
        """Deletes from the table what 'upserts' does not hold, and from that what the table holds."""
        ...

    def delete_like(self, table: TargetTable, ours: Ours, columns: Sequence[TargetColumn]) -> list[str]:
        """Deletes one row of the table for each like row of 'deletes'."""
        ...

    def differ(self, columns: Sequence[TargetColumn], left: str, right: str) -> str:
        """The condition that values are stored differently, whatever their types call equal."""
        ...

    def free(self, column: TargetColumn) -> str:
        """A value that no row has, for a column that takes no null; '' for none."""
        ...

    def keep(self, kept: str, columns: Sequence[TargetColumn]) -> list[str]:
        """Makes the table for rows that are taken out; nothing where it is one of `working`."""
        ...

    def take_out(self, table: TargetTable, kept: str, held: Sequence[TargetColumn], rows: str, changed: str) -> list[str]:
        """Moves the table's rows, t, that fulfil a condition with a row, s, of `rows` to the table of those that are kept."""
        ...

    def put_back(self, table: TargetTable, columns: str, chosen: str, source: str) -> str: ...

    def update(self, table: TargetTable, values: Sequence[tuple[TargetColumn, str]], source: str, condition: str) -> str:
        """Gives rows, t, of the table values by rows, s, of a relation."""
        ...


class Kept(Protocol):
    """What sees to it that each row that was written is there, where something may leave one out without a word."""

    def expected(self, rows: str) -> int:
        """The number of rows to be written; counted before they are."""
        ...

    def check(self, rows: str, expected: int) -> None:
        """Raises DefinitionError where rows of a relation are missing."""
        ...


class Session(Protocol):
    """A session with the database, in which each statement is a transaction if none is open. error: what its driver raises."""

    dialect: Dialect
    error: type[Exception]

    def ask(self, question: str, values: Values = ()) -> list[tuple[Any, ...]]: ...

    def run(self, statement: str, values: Values = ()) -> int:
        """The number of rows that were written."""
        ...

    def insert(self, statement: str, rows: Sequence[Values]) -> None: ...

    def transaction(self) -> AbstractContextManager[Any]:
        """A transaction; a savepoint within one."""
        ...

    def retried(self, work: Callable[[], T]) -> T:
        """Runs a transaction again when the server broke it off for another one's sake."""
        ...

    def wait(self) -> AbstractContextManager[None]:
        """Waits for locks, within a transaction, as long as the call has time."""
        ...

    def copy(self, stage: str, columns: Sequence[str], blocks: Iterable[bytes]) -> None:
        """Inserts the records of a CSV, of which the values are written as `Types.written` says; nulls are empty."""
        ...

    def analyze(self, stage: str) -> None: ...

    def tables(self, schema: str, prefix: str) -> list[str]: ...

    def read_table(self, schema: str, name: str) -> TargetTable | None:
        """The table by its exact name, or the only one whose name differs in case. Raises DefinitionError for what is no table."""
        ...

    def check_table(self, table: TargetTable, place: str) -> None:
        """Raises DefinitionError where rows of the table are hidden from the user."""
        ...

    def ensure_receipts(self, schema: str, table: str) -> None:
        """Makes them where they are missing. Raises DefinitionError with the statement to run where it may not."""
        ...

    def lock(self, schema: str, flow: str) -> None:
        """Locks the flow, so that no other worker publishes it until the transaction ends."""
        ...

    def kept(
        self, table: TargetTable, mode: Mode, stage: str, columns: Sequence[TargetColumn], key: Sequence[TargetColumn], place: str
    ) -> Kept | None: ...

    def is_of_uniqueness(self, error: Exception) -> bool: ...

    def refusal(self, error: Exception, table: TargetTable | None, columns: Sequence[str] = ()) -> str:
        """The reason why a row is refused, in names of columns and constraints; '' if no row that is written caused the error."""
        ...

    def explained(self, error: Exception, place: str, table: TargetTable | None, columns: Sequence[str]) -> AtollError: ...

    def missing_parent(self, error: Exception, table: TargetTable | None) -> str:
        """The foreign key by which a row that is written refers to one that is not there; '' for every other error."""
        ...

    def close(self) -> None: ...
