"""A query in DuckDB's SQL: what its text alone tells, before its inputs' columns are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from language.dialects.duckdb.adding_up import adds_up_by
from language.dialects.duckdb.answers import EngineError, Tree
from language.dialects.duckdb.endless import endless_tables
from language.dialects.duckdb.engine import engine
from language.dialects.duckdb.misread import syntax_problem
from language.dialects.duckdb.purity import readers
from language.dialects.duckdb.said import Said
from language.dialects.duckdb.syntax_tree import nodes_in, outermost, places_in, read
from language.dialects.duckdb.text import Place, QueryText
from language.sql.problems import QueryProblem
from language.sql.query import BATCH_BOUNDS, Places, TableReference, first_word
from language.text.diagnostics import Gathering, Problem, Span
from language.text.nesting import too_deep


@dataclass(frozen=True, eq=False)
class DuckDBQuery:
    """The query at `span`; its tree is made when it is first asked for, and is not kept."""

    span: Span
    dialect: str = "duckdb"

    def __getstate__(self) -> dict[str, object]:
        return {"span": self.span, "dialect": self.dialect, "bounds": self.bounds}

    @cached_property
    def tree(self) -> Tree:
        """Raises Problem where the text is not one SELECT or set operation."""
        try:
            tree = engine().tree(self.span.text)
        except EngineError as error:
            raise self.problem(syntax_problem(self.span.text, error, engine())) from None
        except RecursionError:
            raise too_deep(self.first_word) from None
        if len(tree["statements"]) != 1:
            raise Problem(self.first_word, "a query must be a SELECT", "write AS SELECT …")
        return tree

    @cached_property
    def said(self) -> Said:
        """Raises Problem as `tree` does."""
        return read(self.tree)

    @cached_property
    def text(self) -> QueryText:
        return QueryText(self.span.text)

    @cached_property
    def tables(self) -> tuple[TableReference, ...]:
        """The tables in FROM that are no CTEs, in the order of the text."""
        found = []
        for table in sorted(self.said.tables, key=lambda table: table.at):
            places = self.text.parts(table.at)
            written = [self.span.text[slice(*place)].strip('"').replace('""', '"').lower() for place in places]
            if written != [name.lower() for name in table.names]:  # a file's name, say
                places = [self.text.word(table.at)] * len(table.names)
            found.append(TableReference(table.names, tuple(self.span_of(place) for place in places)))
        return tuple(found)

    @property
    def uses_batch_bounds(self) -> bool:
        return bool(self.bounds)

    @cached_property
    def bounds(self) -> Places:
        calls = (call for call in self.said.calls if call.name in BATCH_BOUNDS and not call.in_from)
        return tuple((self.span_of(self.text.call(call.at) or self.text.path(call.at)), call.name) for call in calls)

    def adds_up_by(self, interval_seconds: int) -> str:
        catalogue = engine().catalogue
        return adds_up_by(self.tree, interval_seconds, catalogue.aggregates | (catalogue.macros - {*BATCH_BOUNDS}))

    @property
    def common_tables(self) -> frozenset[str]:
        """The names of its CTEs."""
        return frozenset(self.said.common_tables)

    @property
    def first_word(self) -> Span:
        return first_word(self.span)

    def output_names(self) -> Iterator[tuple[str, Span] | None]:
        """Each output column's folded name and place, as far as the text tells them; None where it does not."""
        return iter(self._outputs)

    @cached_property
    def _outputs(self) -> Sequence[tuple[str, Span] | None]:
        items = outermost(self.tree["statements"][0]["node"])
        places = self.items if len(self.items) == len(items) else [self.text.first_word()] * len(items)
        return [(name, self.span_of(place)) if name else None for name, place in zip(self.written_names, places, strict=True)]

    @cached_property
    def written_names(self) -> Sequence[str]:
        """Each output column's folded name, as far as the text tells it; '' where it does not."""
        starred = bool(self.said.stars)
        return [_name_of(item, starred) for item in outermost(self.tree["statements"][0]["node"])]

    @cached_property
    def items(self) -> Sequence[Place]:
        """Where the items of the outermost SELECT stand, each from comma to comma."""
        for item in outermost(self.tree["statements"][0]["node"]):
            if places := list(places_in(item)):
                return self.text.items(self.text.at(min(places)))
        return []

    def made(self, name: str) -> Place | None:
        """The only item of any SELECT that makes a column of this folded name, and is no mere column; None where there is none.

        An item without a name stands for any name, where it is the only such.
        """
        named, nameless = list[Place](), list[Place]()
        for node in nodes_in(self.tree):
            items = node["select_list"] if node.get("type") == "SELECT_NODE" else []
            at = min((place for item in items for place in places_in(item)), default=None)
            places = self.text.items(self.text.at(at)) if at is not None else []
            for item, place in zip(items, places, strict=False) if len(items) == len(places) else ():
                if item["class"] not in ("COLUMN_REF", "STAR"):
                    of = {"": nameless, name: named}.get(str(item["alias"]).lower(), [])
                    of.append(place)
        found = named or nameless
        return found[0] if len(found) == 1 else None

    def span_of(self, place: Place) -> Span:
        return Span(self.span.source, self.span.start + place[0], self.span.start + max(place[1], place[0] + 1))

    def problem(self, found: QueryProblem) -> Problem:
        return Problem(self.span_of((found.start, found.end)), found.cause, found.remedy)

    def check(self) -> None:
        """Raises Problem for what is no query of tables."""
        if self.said.shows:
            raise Problem(self.first_word, "a query must be a SELECT", "write AS SELECT …")
        if self.said.parameters:
            words = ((place, self.span.text[slice(*place)]) for place in self.text.tokens)
            place = next((place for place, word in words if word[0] in "$?"), self.text.first_word())
            raise Problem(self.span_of(place), "a query has no parameters: nobody would give their values", "write the values")
        with Gathering() as gathering:
            for found in (*readers(self.text, self.said, engine()), *endless_tables(self.text, self.tree)):
                gathering(self._refuse, found)

    def _refuse(self, found: QueryProblem) -> None:
        raise self.problem(found)


def _name_of(item: Tree, starred: bool) -> str:
    """'' also where what is written after AS is a pattern of names, as it may be after COLUMNS.  starred: whether any * is there."""
    if starred and any(node.get("class") == "STAR" for node in nodes_in(item)):
        return ""
    name = item.get("alias") or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else "")
    return str(name).lower()


def read_ahead(queries: Iterable[Span]) -> None:
    """Has DuckDB parse many queries by one call, which costs a tenth of as many calls."""
    texts = [query.text for query in queries]
    if texts:
        engine().read_ahead(texts)


def parse_warehouse_query(span: Span) -> DuckDBQuery:
    """The query at `span`; it must be one SELECT or set operation over tables. Raises Problem where it is not."""
    query = DuckDBQuery(span)
    query.check()
    return query
