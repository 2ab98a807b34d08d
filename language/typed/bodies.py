"""Functions that a query calls, and queries that they are given, each held against its own tables.

An engine may let a function's query name what stands beside its call, and what a function is given stands within the function.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from language.sql.dialect import Tables, as_warehouse
from language.sql.from_words import arguments, named_in, places_of_with
from language.sql.query import WarehouseQuery
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, SourceText, Span
from language.text.inlined import Inlined
from language.text.tokens import Token, tokenize
from language.typed.mistakes import Mistakes
from shared_metadata.program.schema import SchemaColumn


def check_bodies(query: WarehouseQuery, inputs: Tables, typed: TypedQuery, mistakes: Mistakes) -> None:
    """Adds what is wrong with a function's query by itself, and with one that it is given.  typed: the whole query."""
    if not isinstance(query.span.source, Inlined):
        return
    engine, around, vain = as_warehouse(query.dialect), _Around(query, inputs), dict[int, Span]()
    for offset, body in query.span.source.bodies():
        try:
            alone: WarehouseQuery = engine.read(body.span)
        except Problem as problem:
            mistakes.add(problem)
            continue
        tables = around.tables(alone, offset)
        if isinstance(tables, Span):
            vain[tables.start] = tables
        else:
            mistakes.say(engine.type(alone, tables).problems, body.span)
    for span in () if typed.problems else vain.values():
        cause = "a function is given this query of WITH, which means nothing by itself"
        mistakes.add(Problem(span, cause, "let it name columns of its own FROM alone"))


class _With(NamedTuple):
    """A query of WITH.  place: of its name.  seen, until: between which offsets its name means it."""

    name: str
    place: Span
    seen: int
    until: int
    text: str


class _Around:
    """The tables that names mean in parts of a query: its inputs, and its queries of WITH."""

    def __init__(self, query: WarehouseQuery, inputs: Tables) -> None:
        self._query, self._inputs, self._made = query, inputs, dict[int, tuple[SchemaColumn, ...] | Span]()
        self._queries: list[_With] | None = None

    def tables(self, part: WarehouseQuery, offset: int) -> Tables | Span:
        """The tables of a part that begins at the offset; the place of one that has no columns by itself."""
        found = dict[str, tuple[SchemaColumn, ...]]()
        for name in sorted({".".join(table.folded) for table in part.tables}):
            columns = self._inputs[name] if name in self._inputs else self._columns(name, offset) or part.span
            if isinstance(columns, Span):
                return columns
            found[name] = columns
        return found

    def _columns(self, name: str, offset: int) -> tuple[SchemaColumn, ...] | Span | None:
        """Those of the query of WITH that a name means at an offset; the place of one that cannot be typed by itself."""
        if self._queries is None:
            source = self._query.span.source
            self._queries = [*_queries([*tokenize(source)])]
        near = [one for one in self._queries if one.name == name and one.place.start < offset and one.seen <= offset < one.until]
        if not near:
            return None
        meant = max(near, key=lambda one: one.place.start)
        if meant.place.start not in self._made:
            self._made[meant.place.start] = self._typed(meant)
        return self._made[meant.place.start]

    def _typed(self, meant: _With) -> tuple[SchemaColumn, ...] | Span:
        engine, source = as_warehouse(self._query.dialect), SourceText("", meant.text)
        try:
            query: WarehouseQuery = engine.read(Span(source, 0, len(meant.text)))
        except Problem:
            return meant.place
        tables = self.tables(query, meant.place.start)
        if isinstance(tables, Span):
            return tables if tables.source is not source else meant.place
        typed = engine.type(query, tables)
        if typed.problems:
            return meant.place
        return tuple(SchemaColumn(column.name, column.type, column.nullable) for column in typed.columns)


def _queries(tokens: Sequence[Token]) -> Iterator[_With]:
    for first, opening in places_of_with(tokens):
        listed = arguments(tokens, opening)
        if listed is None:
            continue
        name, last = tokens[first], tokens[listed[1]]
        itself = _is_recursive(tokens, first) and any(
            named.in_from and named.parts == (name.text.lower(),) for named in named_in(tokens[opening : listed[1]])
        )
        text = f"WITH {'RECURSIVE ' if itself else ''}{name.span.to(last.span).text} SELECT * FROM {name.span.text}"
        seen = name.span.start if itself else last.span.end
        yield _With(name.text.lower(), name.span, seen, _end_of_bracket(tokens, listed[1] + 1), text)


def _is_recursive(tokens: Sequence[Token], number: int) -> bool:
    """Whether the WITH of which that token names a query is WITH RECURSIVE."""
    depth = 0
    for at in range(number - 1, -1, -1):
        depth += tokens[at].is_symbol(")") - tokens[at].is_symbol("(")
        if depth == 0 and tokens[at].is_word("WITH"):
            return tokens[at + 1].is_word("RECURSIVE")
    return False


def _end_of_bracket(tokens: Sequence[Token], number: int) -> int:
    """The offset at which the bracket ends in which that token stands."""
    depth = 0
    for token in tokens[number:]:
        depth += token.is_symbol("(") - token.is_symbol(")")
        if depth < 0:
            return token.span.start
    return tokens[-1].span.end
