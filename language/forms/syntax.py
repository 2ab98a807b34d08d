"""The syntax form: a program's statements as they are written, each part with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field

from language.text.diagnostics import Span
from shared_metadata.program import Mask, Mode

OptionValue = str | int | float | bool


@dataclass(frozen=True)
class Part:
    """One part of a dotted name."""

    text: str
    quoted: bool
    span: Span

    @property
    def folded(self) -> str:
        return self.text.lower()


@dataclass(frozen=True)
class Name:
    """A dotted name, as written."""

    parts: tuple[Part, ...]

    @property
    def span(self) -> Span:
        return self.parts[0].span.to(self.parts[-1].span)

    @property
    def folded(self) -> tuple[str, ...]:
        return tuple(part.folded for part in self.parts)

    @property
    def dotted(self) -> str:
        return ".".join(part.text for part in self.parts)


@dataclass(frozen=True)
class Option:
    """`key = value` in WITH (…)."""

    key: str
    value: OptionValue
    span: Span
    value_span: Span


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


@dataclass(frozen=True)
class Parameter:
    """`name type`, a value, or `name TABLE [(column, …)]`, a table of which the function sees these columns, or all.

    type: None for a table.
    """

    name: Part
    type: Span | None = None
    columns: tuple[Part, ...] = ()


@dataclass(frozen=True)
class CreateFunction:
    """`CREATE FUNCTION name (parameter, …) RETURNS TABLE USING sql AS query`; rest: from AS on."""

    name: Part
    parameters: tuple[Parameter, ...]
    query: Span
    rest: Span
    span: Span

    @property
    def called(self) -> str:
        """A call as a message shows it."""
        return f"{self.name.text}({', '.join(parameter.name.text for parameter in self.parameters)})"


Statement = CreateWarehouse | CreateConnection | Insert | CreateView | CreateFunction


@dataclass
class Syntax:
    """All files' statements, and the targets of those that could not be read (so that their readers are not blamed)."""

    statements: list[Statement] = field(default_factory=list)
    broken: list[Name] = field(default_factory=list)
