"""PostgreSQL's SQL as a dialect: a source's. What types a query, and its catalogue, is loaded by the first that is typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from language.dialects.postgres.query import PostgresQuery, inner_nodes, read
from language.sql.dialect import AsSource, Dialect, Tables, lower_unless_quoted
from language.sql.leaving import Leaving
from language.sql.problems import QueryProblem
from language.sql.projection import CollectedQuery, Projection
from language.sql.source_names import source_name
from language.sql.typing import TypedQuery
from language.text.diagnostics import Diagnostic


def _collected(query: PostgresQuery) -> CollectedQuery:
    from language.dialects.postgres.declared_types import declared_types
    from language.dialects.postgres.projection import projection

    declared = declared_types(query)
    found = projection(query, list(declared.edits))
    return CollectedQuery(found or Projection("", (), ""), declared.types, declared.edits)


def _leaving(query: PostgresQuery) -> Leaving:
    from language.dialects.postgres.leaving import leaving

    return leaving(query)


def _typed(query: PostgresQuery, names: Mapping[tuple[str, ...], str], tables: Tables) -> TypedQuery:
    from language.dialects.postgres.declared_types import misplaced
    from language.dialects.postgres.typing import type_text

    at_source = {name: tuple(replace(c, source=source_name(c)) for c in columns) for name, columns in tables.items()}
    found = type_text(query.text, names, at_source)
    return replace(found, problems=(*found.problems, *misplaced(query)))


def _impure(query: PostgresQuery, typed: TypedQuery) -> Iterator[QueryProblem]:
    from language.dialects.postgres.impure import impure_columns

    return impure_columns(query, typed.moments)


def _mistakes(query: PostgresQuery) -> Iterator[Diagnostic]:
    """What is wrong whatever the tables' columns are."""
    from language.dialects.postgres.impure import impure_columns

    yield from _unknown_functions(query)
    for problem in impure_columns(query):
        yield query.at((problem.start, problem.end)).diagnostic(problem.cause, problem.remedy)


def _unknown_functions(query: PostgresQuery) -> Iterator[Diagnostic]:
    """Calls of what is no function of PostgreSQL's own; one in a schema may be anything."""
    from language.dialects.postgres.catalogue import functions, types
    from language.dialects.postgres.spelling import no_function

    for node in inner_nodes(query.statement, "FuncCall"):
        (*schema, name) = (part["String"]["sval"] for part in node["funcname"])
        if not schema and not functions(name) and not (name in types() and len(node.get("args", ())) == 1):
            place = query.at(query.places.names(node.get("location", 0), 1)[0])
            yield place.diagnostic(*no_function(name))


def _spelled(name: str) -> str:
    from language.dialects.postgres.spelling import spelled

    return spelled(name)


DIALECT = Dialect(
    name="postgres",
    sqlglot="postgres",
    fold=lower_unless_quoted,
    spelled=_spelled,
    kept=(PostgresQuery,),
    source=AsSource(read, _collected, _leaving, _typed, _mistakes, _impure),
)
