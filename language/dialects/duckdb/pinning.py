"""The text that runs: as it was written, but that what speaks of all columns of a table means those that it has now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from language.dialects.duckdb.answers import Bound
from language.dialects.duckdb.engine import Tables, engine
from language.dialects.duckdb.own_columns import but_own, own_named
from language.dialects.duckdb.query import DuckDBQuery
from language.dialects.duckdb.said import Said, Scope, Table
from language.dialects.duckdb.text import Place
from language.sql.edits import edited
from language.sql.query import OWN_COLUMNS
from language.text.diagnostics import Span
from shared_metadata.contract.parquet.duckdb_session import identifier

_NUMBERED = re.compile(r"_\d+$")  # as DuckDB tells two columns of one name apart
PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
Edit = tuple[int, int, str]


def pinned(query: DuckDBQuery, tables: Tables) -> tuple[Edit, ...]:
    """(start, end, text): around each table a subquery of its columns; what was named through its full name, by its last."""
    found: list[Edit] = []
    named = own_named(query.said, tables)
    for table in query.said.wide:
        if table.path not in tables:
            continue
        columns = but_own(tables[table.path], named.get(table, set()))
        start, end = query.text.path(table.at)
        names = ", ".join(map(spelled, (column.name for column in columns)))
        alias = "" if table.alias else f" AS {spelled(table.names[-1].lower())}"
        opening, begin, before = f"(SELECT {names} FROM ", start, query.span.text[:start].rstrip()
        if before[-5:].upper() == "TABLE":
            opening, begin = f"FROM {opening}", len(before) - 5
        found += [(begin, start, opening), (end, end, f"){alias}")]  # the name itself stays where it is: a place of the plan
    for column in query.said.columns if query.said.wide else ():
        found += _unqualified(query, column.names, column.scope, column.at)
    return tuple(sorted([*found, *_excluded(query, named)]))


def _unqualified(query: DuckDBQuery, names: tuple[str, ...], scope: Scope | None, at: int) -> Iterator[Edit]:
    folded = tuple(name.lower() for name in names)
    while scope is not None:
        for table in query.said.wide.intersection(scope.tables):
            path = tuple(name.lower() for name in table.names)
            for skipped in range(len(path) - 1):
                if not table.alias and folded[: len(path) - skipped] == path[skipped:]:
                    parts = query.text.parts(at)
                    last = len(path) - skipped - 1
                    if last < len(parts):
                        yield parts[0][0], parts[last][0], ""
                    return
        scope = scope.outer


def _excluded(query: DuckDBQuery, named: Mapping[Table, AbstractSet[str]]) -> Iterator[Edit]:
    """Atoll's own columns that the text names elsewhere are no part of a `*` over an input."""
    for star in query.said.stars:
        place = query.text.star(star.at)
        names = sorted(set[str]().union(*(named.get(table, ()) for table in star.tables)) - {*star.renamed, *star.replaced})
        if place is None or not names:
            continue
        if not star.without:
            yield place[1], place[1], f" EXCLUDE ({', '.join(names)})"
            continue
        start, end = _excluding(query, place[1])
        more = [name for name in names if name not in star.without]
        if more:
            yield place[1], end, f" EXCLUDE ({', '.join([query.span.text[start:end].strip('()'), *more])})"


def _excluding(query: DuckDBQuery, after: int) -> Place:
    """Where a star's EXCLUDE names its columns: in parentheses, or one."""
    begin, first, *others = [place for place in query.text.tokens if place[0] >= after][1:] or [(after, after)] * 2
    if query.span.text[slice(*begin)] != "(":
        return begin
    ends = (place[1] for place in (first, *others) if query.span.text[slice(*place)] == ")")
    return begin[0], next(ends)


def spelled(name: str) -> str:
    return name if PLAIN.fullmatch(name) and name not in engine().catalogue.reserved_words else identifier(name)


def with_edits(query: DuckDBQuery, edits: tuple[Edit, ...]) -> str:
    base = query.span
    return edited(base, [(Span(base.source, base.start + start, base.start + end), put) for start, end, put in edits])


def as_meant(query: DuckDBQuery, bound: Bound, tables: Tables) -> Bound:
    """The text as it is meant: no `*` brings a column of Atoll's own, also where a row of all of them is made. Raises EngineError."""
    own = {table: OWN_COLUMNS.intersection(column.name for column in tables.get(table.path, ())) for table in query.said.tables}
    edits = tuple(sorted(_excluded(query, own)))
    return engine().bind(with_edits(query, edits), tables) if edits else bound


def but_atolls(bound: Bound, said: Said) -> list[tuple[str, str]]:
    """The columns but for Atoll's own that the text names, which a `*` that is not written has still."""
    own = {name for name in OWN_COLUMNS if name in said.words}
    return [(column.name, f"{column.type} {column.said}") for column in bound.columns if _NUMBERED.sub("", column.name) not in own]
