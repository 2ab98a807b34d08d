"""What is checked of every statement's clauses, and its query."""

from __future__ import annotations

from typing import Any

from language.forms.resolved import Settings
from language.forms.syntax import Clauses
from language.resolve.outputs import check_output
from language.resolve.settings import check_bad_rows, refuse_twins
from language.sql.dialect import AsWarehouse, dialect
from language.sql.in_vain import check_in_vain
from language.sql.query import Query
from language.text.diagnostics import Gathering, Span
from shared_metadata.contract.declaration import Slice


def check_clauses(
    query: Query | None, clauses: Clauses, settings: Settings | None, engine: AsWarehouse[Any, Any], outside: Slice | None = None
) -> None:
    with Gathering() as gathering:
        gathering(refuse_twins, clauses.partition_by)
        gathering(check_bad_rows, clauses, outside)
        gathering(check_output, query, clauses, settings, engine)
        gathering.beside(check_meaning, query, clauses)


def check_meaning(query: Query | None, clauses: Clauses) -> None:
    """Raises Problem for what a query or an expectation says in vain, which keeps nothing else from being known of it."""
    with Gathering() as gathering:
        for expectation in clauses.expectations:
            gathering(check_in_vain, expectation.predicate)
        if query is not None and not dialect(query.dialect).null_equals:
            gathering(check_in_vain, query.span)


def query_of(clauses: Clauses) -> Span:
    assert clauses.query is not None  # the parser refuses a statement with neither query nor tables
    return clauses.query
