"""The syntax form: a program's statements as they are written, each part with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field

from language.forms.functions import CreateCoded as CreateCoded
from language.forms.functions import CreateFunction as CreateFunction
from language.forms.functions import DeclaredColumn as DeclaredColumn
from language.forms.functions import Parameter as Parameter
from language.forms.parts import Name as Name
from language.forms.parts import Option as Option
from language.forms.parts import OptionValue as OptionValue
from language.forms.parts import Part as Part
from language.text.diagnostics import Span
from shared_metadata.program import Mask, Mode


@dataclass(frozen=True)
class Duration:
    """A quoted duration, in seconds."""

    seconds: int
    span: Span


@dataclass(frozen=True)
class ModeClause:
    """REPLACE, APPEND or MERGE ON (key); a MERGE without its key takes that of the source's table."""

    mode: Mode
    key: tuple[Part, ...]
    span: Span


@dataclass(frozen=True)
class CursorClause:
    """`CURSOR column [RISING]`; span: the column's."""

    column: Part
    rising: Span | None = None

    @property
    def folded(self) -> str:
        return self.column.folded

    @property
    def span(self) -> Span:
        return self.column.span


@dataclass(frozen=True)
class Expect:
    """`EXPECT name: (predicate) OR action`; `predicate` is the text between the parentheses."""

    name: Part
    predicate: Span
    action: str
    span: Span


@dataclass(frozen=True)
class Tolerate:
    """`TOLERATE dataset STALE 'duration'`."""

    dataset: Name
    stale: Duration
    span: Span


@dataclass(frozen=True)
class TolerateBadRows:
    """`TOLERATE count BAD ROWS` or `TOLERATE share PERCENT BAD ROWS`; text: the number as written."""

    text: str
    percent: bool
    span: Span


@dataclass(frozen=True)
class MaskedColumn:
    """`[table.]column HASH` or `… DROP` in MASK (…); of a query `column[.field …]`."""

    name: Name
    how: Mask


@dataclass(frozen=True)
class TableList:
    """`FROM connection[.schema] TABLES (…)`."""

    origin: Name
    tables: tuple[Name, ...]
    span: Span


@dataclass(frozen=True)
class Clauses:
    """The clauses of an INSERT or a view; None or empty where it has none."""

    every: Duration | None = None
    mode: ModeClause | None = None
    cursor: CursorClause | None = None
    capture: Span | None = None
    partition_by: tuple[Part, ...] = ()
    masks: tuple[MaskedColumn, ...] = ()
    expectations: tuple[Expect, ...] = ()
    fresh_within: Duration | None = None
    tolerates: tuple[Tolerate, ...] = ()
    bad_rows: TolerateBadRows | None = None
    engine: Part | None = None
    tables: TableList | None = None
    query: Span | None = None
    spans: dict[str, Span] = field(default_factory=dict)

    @property
    def quarantines(self) -> bool:
        """Whether an expectation sets rows aside."""
        return any(expectation.action == "QUARANTINE" for expectation in self.expectations)


@dataclass(frozen=True)
class CreateWarehouse:
    """`CREATE WAREHOUSE name USING system [WITH (…)]`."""

    name: Part
    system: Part
    options: tuple[Option, ...]
    span: Span

    @property
    def engine(self) -> Option | None:
        """What it says of the engine that computes its views."""
        return next((option for option in self.options if option.key == "engine"), None)


@dataclass(frozen=True)
class CreateConnection:
    """`CREATE CONNECTION name TO system [WITH (…)]`."""

    name: Part
    system: Part
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True)
class Insert:
    """`INSERT INTO target <clauses>`: collect or harness, as its names say."""

    target: Name
    clauses: Clauses
    span: Span


@dataclass(frozen=True)
class CreateView:
    """`CREATE MATERIALIZED VIEW target <clauses> AS query`."""

    target: Name
    clauses: Clauses
    span: Span


Statement = CreateWarehouse | CreateConnection | Insert | CreateView | CreateFunction | CreateCoded


@dataclass
class Syntax:
    """All files' statements, and the targets of those that could not be read (so that their readers are not blamed)."""

    statements: list[Statement] = field(default_factory=list)
    broken: list[Name] = field(default_factory=list)
