"""What queries tell without any snapshot of the sources: functions that there are not, constants without a value, two equal names."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.duckdb.constants import constant_problems
from language.dialects.duckdb.engine import engine
from language.dialects.duckdb.problems import unknown_functions
from language.dialects.duckdb.query import DuckDBQuery
from language.dialects.postgres.query import PostgresQuery
from language.forms.resolved import Collect, ResolvedProgram
from language.resolve.outputs import check_twins
from language.text.diagnostics import Diagnostic, Problem


def check_untyped(program: ResolvedProgram, problems: list[Diagnostic]) -> None:
    """Adds what is wrong to `problems`."""
    for statement in program.statements:
        query = statement.query
        try:
            if isinstance(statement, Collect):
                problems += query.unknown_functions() if isinstance(query, PostgresQuery) else ()
            elif isinstance(query, DuckDBQuery):
                problems += _of_a_warehouse(query)
            if query is not None:
                check_twins(query)
        except Problem as problem:
            problems += problem.diagnostics


def _of_a_warehouse(query: DuckDBQuery) -> Iterator[Diagnostic]:
    judge = engine()
    for found in (*unknown_functions(query.text, query.said, judge), *constant_problems(query.text, query.tree, judge)):
        yield query.problem(found).diagnostic
