"""What a database has to say of its SQL, and of its sessions, so that its tables can be read in parts, chunks and windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared_metadata.errors import AtollError
from shared_metadata.program.schema import SchemaColumn

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Mapped:
    """How values of a type are read.

    iceberg: the type in a warehouse.  expression: of a column's name, the SQL that the source runs.
    misfit: of a column's name, the SQL condition of values that the expression or a reader of its answer refuses; '' for none.
    """

    iceberg: str
    expression: Callable[[str], str]
    misfit: Callable[[str], str] = lambda column: ""


@dataclass(frozen=True)
class KeyRange:
    """The whole numbers of a key by which a table is read in ranges, where it has no pages that can be asked for.

    column: quoted.  first: the least of them.  count: of the numbers from it to the greatest.
    """

    column: str
    first: int
    count: int


@dataclass(frozen=True)
class TableSize:
    """pages: by ranges of which the table can be read, 0 where it cannot.  bytes: with what is stored out of line.

    told: each row tells which transaction wrote it.  keys: what pages are, where they are ranges of a key.
    edges: where the second page begins, the third …, where the table itself has to be asked for that.
    """

    pages: int = 0
    bytes: int = 0
    rows: int = 0
    told: bool = False
    keys: KeyRange | None = None
    edges: tuple[str, ...] = ()


class Dialect(Protocol):
    """The SQL of one kind of database; its expressions name columns of the rows that are read, c0, c1 … in their order."""

    as_text_remedy: str  # how a program reads a value as text that its type cannot hold
    of_nothing: str  # what follows a SELECT that reads no table
    first_row: str  # what follows a query of whose rows the first is wanted

    def within(self, first: int, end: int | None, edges: Sequence[str]) -> Sequence[str]:
        """The conditions of rows at the positions [first, end), None for all that follow, of a table that has no KeyRange."""
        ...

    def any_of(self, condition: str) -> str:
        """The aggregate that says whether the condition holds for one of the rows."""
        ...

    def as_text(self, expression: str) -> str: ...

    def joined(self, texts: Sequence[str]) -> str:
        """The expression of one text of those that are not null, however many, with ', ' between them."""
        ...

    def document(self, values: Mapping[str, str]) -> str:
        """The expression of a JSON object, as text, of names and the expressions of their values."""
        ...

    def shown(self, column: str, expression: str, kind: str, misfit: str) -> str:
        """The expression of a value for `document`, also where it is none of the kind's.  expression: how the value is read."""
        ...

    def answer(self, sql: str) -> str:
        """What stands in a FROM of DuckDB's for the source's answer to a statement."""
        ...

    def digest(self, values: Sequence[str]) -> str:
        """The aggregate of one text for the values of all rows, whatever their order; it tells how many they are."""
        ...

    def beside(self, values: Sequence[tuple[str, SchemaColumn]]) -> str:
        """The expression of what the source tells of a row's values beside them, for `held`; '' for nothing.

        values: each as the source gives it.
        """
        ...

    def held(self, columns: Sequence[SchemaColumn]) -> str:
        """DuckDB's condition, over c0, c1 … and `beside` (0 where that is nothing), that a row is what the source said, which fails
        for others; '' for none."""
        ...

    def read(self, value: str, column: SchemaColumn) -> str:
        """DuckDB's expression of a column of the answer as its type."""
        ...


class Scan(Protocol):
    """One part's rows as one state of the source shows them to sessions of DuckDB, from when it is opened until `close`.

    extensions: those that DuckDB needs.  state: of a part that must not change while it is read, for a resume token.
    """

    extensions: tuple[str, ...]
    state: Mapping[str, str] | None

    def attach(self, connection: duckdb.DuckDBPyConnection, workers: int) -> None:
        """Makes the source known to DuckDB. Raises Atoll's errors."""
        ...

    def settle(self, cursor: duckdb.DuckDBPyConnection, asked: str) -> None:
        """Lets the transaction that has begun see the state, by the settings of every session. May raise duckdb.Error.

        asked: the SQL that it will ask the source.
        """
        ...

    def cause(self, error: duckdb.Error, asked: str) -> AtollError:
        """Why a statement failed, by the error's class and what the source says, never by a text that may quote a value.

        asked: the SQL that the source was asked.
        """
        ...

    def check(self) -> None:
        """Raises RetryLater where what was read may be of several states."""
        ...

    def close(self) -> None: ...


class TookTooLong(Exception):
    """A question was given up by the source's own time limit."""


class Asking(Protocol):
    """The session of a plan."""

    def first(self, sql: str) -> Sequence[Any] | None:
        """The answer's first row. Raises TookTooLong, and whatever else breaks."""
        ...
