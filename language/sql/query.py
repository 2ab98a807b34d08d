"""A statement's query as its text alone tells it, whatever reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from language.text.diagnostics import Span

OWN_COLUMNS = frozenset({"_batch", "_deleted"})  # that Atoll adds to tables
BATCH_BOUNDS = frozenset({"batch_start", "batch_end"})
Places = tuple[tuple[Span, str], ...]  # a dataset's name, or a bound's, and what it stands for


@dataclass(frozen=True, eq=False)
class TableReference:
    """A table in a FROM clause: its dotted parts as written, each with its place; CTEs are none."""

    parts: tuple[str, ...]
    spans: tuple[Span, ...]
    node: Any = None  # the parser's own, of a source's query

    @property
    def span(self) -> Span:
        return self.spans[0].to(self.spans[-1])

    @property
    def folded(self) -> tuple[str, ...]:
        return tuple(part.lower() for part in self.parts)


class Query(Protocol):
    """All but the first two raise Problem where the text is not one SELECT."""

    @property
    def span(self) -> Span: ...
    @property
    def dialect(self) -> str: ...
    @property
    def tables(self) -> tuple[TableReference, ...]: ...
    @property
    def common_tables(self) -> frozenset[str]: ...
    @property
    def first_word(self) -> Span: ...
    def output_names(self) -> Iterator[tuple[str, Span] | None]:
        """Each output column's folded name and place, as far as the text tells them; None where it does not."""


class SourceQuery(Query, Protocol):
    """A query that runs where rows are collected."""

    def column_names(self) -> Iterator[tuple[tuple[str, ...], tuple[Span, ...]]]:
        """The parts of each column's name, with their places."""

    def name_at_source(self, reference: TableReference) -> str:
        """A table's name as its source means it, without the connection."""


class WarehouseQuery(Query, Protocol):
    """A query that runs in a warehouse."""

    @property
    def uses_batch_bounds(self) -> bool: ...
    @property
    def bounds(self) -> Places:
        """Where it says batch_start() and batch_end()."""

    def adds_up_by(self, interval_seconds: int) -> str:
        """The folded column by whose window, from batch_start() to before batch_end(), its batches add up: several intervals at once
        give what each of them gives, all from one version of its only table. '' where they do not, or where this is not told.
        """


class Predicate(Protocol):
    """The condition of an EXPECT clause."""

    def columns(self) -> Iterator[tuple[str, Span]]:
        """The columns that it names without a table, folded, with their places."""

    @property
    def bounds(self) -> Places: ...


def first_word(span: Span) -> Span:
    """The first word of the text at `span`."""
    first = re.match(r"\S+", span.text)
    return Span(span.source, span.start, span.start + (first.end() if first else 1))
