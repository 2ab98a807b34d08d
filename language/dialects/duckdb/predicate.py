"""The condition of an EXPECT clause, in DuckDB's SQL: it speaks of one row of what the statement makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.binding import bind_query
from language.dialects.duckdb.engine import engine
from language.dialects.duckdb.misread import syntax_problem
from language.dialects.duckdb.query import DuckDBQuery
from language.dialects.duckdb.syntax_tree import nodes_in
from language.sql.problems import QueryProblem
from language.sql.query import Places
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, SourceText, Span
from shared_metadata.program.schema import SchemaColumn

_ALONE = "SELECT "
_BEFORE, _AFTER = "SELECT 1 AS kept FROM rows_made WHERE (\n", "\n)"


@dataclass(frozen=True)
class Predicate:
    span: Span

    @cached_property
    def _query(self) -> DuckDBQuery:
        """The condition within a query over what the statement makes. Raises Problem where it is no condition."""
        self._check_alone()
        text = f"{_BEFORE}{self.span.text}{_AFTER}"
        return DuckDBQuery(Span(SourceText(self.span.source.file, text), 0, len(text)))

    def _check_alone(self) -> None:
        try:
            tree = engine().tree(f"{_ALONE}{self.span.text}\n")
        except EngineError as error:
            found = syntax_problem(f"{_ALONE}{self.span.text}\n", error, engine())
            raise self._problem(found, len(_ALONE)) from None
        nodes = [statement["node"] for statement in tree["statements"]]
        if len(nodes) != 1 or nodes[0].get("from_table", {}).get("type") != "EMPTY" or len(nodes[0].get("select_list", ())) != 1:
            raise Problem(self.span, "an expectation cannot read tables", "put the check's input into the query as a column")

    def columns(self) -> Iterator[tuple[str, Span]]:
        """The columns that it names without a table, folded, with their places; not what means a moment where no column does."""
        for column in self._query.said.columns:
            if len(column.names) == 1 and not engine().is_value(column.names[0].lower()):
                yield column.names[0].lower(), self._span(self._query.text.path(column.at), len(_BEFORE))

    @property
    def bounds(self) -> Places:
        found = ((span.start - len(_BEFORE), span.end - len(_BEFORE), name) for span, name in self._query.bounds)
        return tuple((Span(self.span.source, self.span.start + start, self.span.start + end), name) for start, end, name in found)

    def check(self) -> None:
        """Raises Problem where it does not speak of one row."""
        said = self._query.said
        if len(said.tables) != 1 or any(call.in_from for call in said.calls):
            raise Problem(self.span, "an expectation cannot read tables", "put the check's input into the query as a column")
        if any(node.get("class") == "SUBQUERY" for node in nodes_in(self._query.tree)):
            raise Problem(
                self.span, "an expectation speaks of one row, without subqueries", "put what it gives into the query as a column"
            )
        if said.parameters:
            raise Problem(self.span, "an expectation has no parameters: nobody would give their values", "write the values")
        if said.windows or any(call.name in engine().catalogue.aggregates for call in said.calls):
            raise Problem(self.span, "an expectation speaks of one row, without aggregates", "aggregate in a view and expect there")

    def typed(self, columns: Sequence[SchemaColumn]) -> TypedQuery:
        """What it uses and what is wrong with it; places are offsets into its own text."""
        self.check()
        found = bind_query(self._query, {"rows_made": tuple(columns)})
        problems = tuple(self._moved(problem) for problem in found.problems)
        return dataclasses.replace(found, problems=problems)

    def _moved(self, problem: QueryProblem) -> QueryProblem:
        place = self._span((problem.start, problem.end), len(_BEFORE))
        return dataclasses.replace(problem, start=place.start - self.span.start, end=place.end - self.span.start)

    def _problem(self, found: QueryProblem, before: int) -> Problem:
        return Problem(self._span((found.start, found.end), before), found.cause, found.remedy)

    def _span(self, place: tuple[int, int], before: int) -> Span:
        """A place of the query that stands around the condition, kept within the condition."""
        length = len(self.span.text)
        start = min(max(place[0] - before, 0), max(length - 1, 0))
        end = min(max(place[1] - before, start + 1), length)
        return Span(self.span.source, self.span.start + start, self.span.start + end)


def parse_predicate(span: Span) -> Predicate:
    """The condition at `span`. Raises Problem where it is none."""
    predicate = Predicate(span)
    predicate.check()
    return predicate
