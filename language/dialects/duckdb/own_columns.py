"""Atoll's own columns in a query: they take part in what speaks of all columns of a table only where the text names them.

A written `*` then leaves them out; where no star is written, nothing can, and the query is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from language.dialects.duckdb.engine import Tables
from language.dialects.duckdb.query import DuckDBQuery
from language.dialects.duckdb.said import Said, Scope, Table, Whole
from language.dialects.duckdb.text import QueryText
from language.sql.problems import QueryProblem
from language.sql.query import OWN_COLUMNS
from shared_metadata.program.schema import SchemaColumn

DELETED = "_deleted"


def in_sight(said: Said, tables: Tables) -> Tables:
    """The tables as the query sees them: where it speaks of all columns, without Atoll's own that nothing in the text names."""
    if not said.wide:
        return tables
    named = own_named(said, tables)
    seen: dict[str, set[str]] = {}
    for table, own in named.items():
        seen.setdefault(table.path, set()).update(own)
    return {name: but_own(columns, seen.get(name, set())) for name, columns in tables.items()}


def but_own(columns: Iterable[SchemaColumn], named: AbstractSet[str]) -> tuple[SchemaColumn, ...]:
    return tuple(column for column in columns if column.name not in OWN_COLUMNS or column.name in named)


def own_named(said: Said, tables: Tables) -> Mapping[Table, AbstractSet[str]]:
    """Each table in FROM ▸ the columns of Atoll's own that the text names through it."""
    if OWN_COLUMNS.isdisjoint(said.words):
        return {}
    named: dict[Table, set[str]] = {}
    columns = by_folded(tables)
    spoken = [(c.names, c.scope) for c in said.columns if not OWN_COLUMNS.isdisjoint(map(str.lower, c.names))]
    spoken += [((name,), scope) for name, _, scope in said.using if name in OWN_COLUMNS]
    for names, scope in spoken:
        for table, name in meant(names, scope, columns):
            named.setdefault(table, set()).update({name} & OWN_COLUMNS)
    for star in said.stars:
        for table in star.tables:
            named.setdefault(table, set()).update(OWN_COLUMNS.intersection(star.spoken_of, columns.get(table.path, ())))
    return {table: own for table, own in named.items() if own}


def own_brought(query: DuckDBQuery, tables: Tables) -> Iterator[QueryProblem]:
    """Where all columns of a table are meant and no star is written, nothing can leave out those of Atoll's own that the text names.

    They differ from batch to batch: rows that are joined, grouped or compared by them are others than the writer means.
    """
    named, said = own_named(query.said, tables), query.said
    if not named:
        return
    meant_only = [star for star in said.stars if query.text.star(star.at) is None and not star.scope.exists]
    stars = [Whole(tuple(star.tables), star.scope, at=star.at) for star in meant_only]
    told: set[Table] = set()
    for whole in (*said.whole, *stars):
        own = {name: table for table in whole.tables if table not in told for name in named.get(table, ())}
        if not own or (whole in said.whole and whole.at >= 0 and _is_column(query.text, whole, tables)):
            continue
        name = min(own)
        told.update(whole.tables)
        place = (query.text.path(whole.at) if whole.at >= 0 else query.text.find(whole.word)) or query.text.first_word()
        cause = f"all columns of `{own[name].called}` are meant here, with `{name}`, since the query names it; each batch changes it"
        star = f"read (SELECT * FROM {own[name].path} …) instead: a * that is written leaves it out"
        join = "write JOIN … USING (…) with the columns that are meant"
        yield QueryProblem(*place, cause, join if whole.word == "natural" else star)


def _is_column(text: QueryText, whole: Whole, tables: Tables) -> bool:
    """Whether a name that a table has too is a column's: so DuckDB reads it."""
    start, end = text.path(whole.at)
    name = text.text[start:end].strip('"').lower()
    return any(name == column.name.lower() for table in whole.scope.tables for column in tables.get(table.path, ()))


def partly_deleted(query: DuckDBQuery, tables: Tables) -> Iterator[QueryProblem]:
    """A table's marked rows are read where any name of it asks for the mark; each name of it must then say what it wants of them."""
    marked = {name for name, columns in tables.items() if any(column.name == DELETED for column in columns)}
    named = {table for table, own in own_named(query.said, tables).items() if DELETED in own}
    asked = {table.path for table in named}
    for table in query.said.tables:
        if table.path in marked & asked and table not in named:
            cause = f"rows of `{table.path}` that are marked `{DELETED}` are read here too: the query asks for the mark elsewhere"
            yield QueryProblem(*query.text.path(table.at), cause, f"say here too what becomes of them, as by WHERE NOT {DELETED}")


def by_folded(tables: Tables) -> Mapping[str, Mapping[str, str]]:
    return {table: {column.name.lower(): column.name for column in columns} for table, columns in tables.items()}


def meant(names: tuple[str, ...], scope: Scope | None, tables: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Table, str]]:
    """The inputs' columns that a name may stand for: with a table's name before it in that table, else in all that are near."""
    first, *others = folded = [name.lower() for name in names]
    while scope is not None:
        found = []
        for table in scope.tables:
            columns = tables.get(table.path, {})
            if first in columns:
                found.append((table, columns[first]))
            if others and table.called in folded:
                found += [(table, columns[name]) for name in others if name in columns]
        if found:
            yield from found
            return
        scope = scope.outer
