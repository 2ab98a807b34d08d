"""What a query's text says: the tables in FROM, the columns, functions and stars that it names, each with its place and scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from language.dialects.duckdb.given_names import GivenNames
from shared_metadata.program.lineage import Use


@dataclass(frozen=True)
class Table:
    """A table in FROM that is no CTE.  names: its dotted parts.  at: the byte at which the first begins."""

    names: tuple[str, ...]
    alias: str
    at: int
    columns: tuple[str, ...] = ()  # that a list of columns after the alias gives

    @cached_property
    def called(self) -> str:
        return (self.alias or self.names[-1]).lower()

    @cached_property
    def path(self) -> str:
        """Its name in the program, folded."""
        return ".".join(self.names).lower()


@dataclass(frozen=True, eq=False)
class Scope:
    """A SELECT: what its FROM names, and the SELECT around it.  exists: whether it is asked only whether it has rows."""

    tables: list[Table] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # CTEs, subqueries and functions, by name
    outer: Scope | None = None
    wide: list[str] = field(default_factory=list)  # what in FROM speaks of all columns of all tables
    exists: bool = False


class Column(NamedTuple):
    """A column as it is named: its dotted parts, the clause that it stands in, and where."""

    names: tuple[str, ...]
    use: Use
    at: int
    scope: Scope


@dataclass(frozen=True)
class Call:
    """windowed: whether it has OVER.  unordered: that over rows in no order.  by_rows: whether its frame counts them.

    unless_columns: whether it is unordered where the names in its ORDER BY are no columns, but those that AS gives.
    """

    name: str
    at: int
    in_from: bool
    unordered: bool = False
    by_rows: bool = False
    windowed: bool = False
    unless_columns: bool = False


@dataclass(frozen=True)
class Star:
    """`*`, or `t.*` of one table, folded.  without, renamed, replaced: what EXCLUDE, RENAME and REPLACE name."""

    table: str
    at: int
    scope: Scope
    without: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    @property
    def spoken_of(self) -> frozenset[str]:
        """Columns that its own words name, so that it has them, or not, as these say."""
        return frozenset((*self.without, *self.renamed, *self.replaced))

    @property
    def tables(self) -> list[Table]:
        return [table for table in self.scope.tables if self.table in ("", table.called)]


@dataclass(frozen=True)
class Whole:
    """Where all columns of tables are meant, and no star is: by a word such as NATURAL, or, at `at`, by a table's name as a row."""

    tables: tuple[Table, ...]
    scope: Scope
    word: str = ""
    at: int = -1


@dataclass
class Said:
    """All that a query's text says, in the order of the tree."""

    tables: list[Table] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    common_tables: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=set)  # every name that the text gives or uses, folded
    given: set[str] = field(default_factory=set)  # names that it gives to columns, folded
    given_names: list[GivenNames] = field(default_factory=list)  # that it gives by a PIVOT or a pattern
    stars: list[Star] = field(default_factory=list)
    using: list[tuple[str, int, Scope]] = field(default_factory=list)
    samples: bool = False
    windows: bool = False
    positional: bool = False  # POSITIONAL JOIN
    parameters: bool = False
    shows: bool = False  # DESCRIBE, SUMMARIZE, SHOW
    wide: set[Table] = field(default_factory=set)  # of whose columns it speaks without naming them
    whole: list[Whole] = field(default_factory=list)
