"""The condition of an EXPECT clause: it speaks of one row of what the statement makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.listed.binding import bind
from language.sql.listed.rules import Rules
from language.sql.query import Places
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, SourceText, Span
from shared_metadata.program.schema import SchemaColumn

_ROWS = "rows.of.it"
_BEFORE, _AFTER = f"SELECT 1 AS kept FROM {_ROWS} WHERE (\n", "\n)"


@dataclass(frozen=True)
class ListedPredicate:
    """A dialect has a class of its own, in its folder, which says its rules: a cache makes it again by its name."""

    rules: ClassVar[Rules]
    span: Span

    @classmethod
    def at(cls, span: Span) -> Self:
        """The condition at `span`. Raises Problem where it is none."""
        found = cls(span)
        found.check()
        return found

    @cached_property
    def _query(self) -> CalledQuery:
        text = f"{_BEFORE}{self.span.text}{_AFTER}"
        return self.rules.query(Span(SourceText(self.span.source.file, text), 0, len(text)))

    def columns(self) -> Iterator[tuple[str, Span]]:
        """The columns that it names without a table, folded, with their places."""
        for column in self._query.tree.find_all(exp.Column):
            if len(column.parts) == 1:
                yield column.name.lower(), self._moved(self._query.place(column))

    @property
    def bounds(self) -> Places:
        return tuple((self._moved(span), name) for span, name in self._query.bounds)

    def typed(self, columns: Sequence[SchemaColumn]) -> TypedQuery:
        """What it uses and what is wrong with it; places are offsets into its own text."""
        found = bind(self.rules, self._query, {_ROWS: tuple(columns)})
        problems = []
        for problem in found.problems:
            place = self._moved(self._query.within(problem.start, problem.end))
            problems.append(dataclasses.replace(problem, start=place.start - self.span.start, end=place.end - self.span.start))
        return TypedQuery(found.columns, found.uses, (), tuple(problems))

    def _moved(self, place: Span) -> Span:
        """A place of the query that stands around the condition, kept within the condition."""
        start = min(max(place.start - len(_BEFORE), 0), max(len(self.span.text) - 1, 0))
        end = min(max(place.end - len(_BEFORE), start + 1), len(self.span.text))
        return Span(self.span.source, self.span.start + start, self.span.start + end)

    def check(self) -> None:
        """Raises Problem where it does not speak of one row."""
        try:
            tree = self._query.tree
        except Problem as problem:
            found = problem.diagnostic
            raise Problem(self.span, found.cause, found.remedy) from None
        if tree.find(exp.Subquery, exp.Exists) or any(inner is not tree for inner in tree.find_all(exp.Query)):
            raise Problem(self.span, "an expectation cannot read tables", "put the check's input into the query as a column")
        called = {call.name.lower() for call in tree.find_all(exp.Anonymous)}
        if called & self.rules.functions.aggregates or tree.find(exp.Window):
            raise Problem(self.span, "an expectation speaks of one row, without aggregates", "aggregate in a view and expect there")
