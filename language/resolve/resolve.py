"""Syntax to the resolved form: each statement's stage, slices, settings, and the tables behind its names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from language.cache.statements import Memo
from language.cache.workers import ALONE, Crew
from language.forms.resolved import Resolved, ResolvedProgram
from language.forms.syntax import CreateConnection, CreateView, Insert, Syntax
from language.resolve.clauses import check_meaning
from language.resolve.collect_statement import collect_query, collect_tables
from language.resolve.functions import check_uncalled
from language.resolve.name_lengths import check_lengths
from language.resolve.names import Names, Undeclared
from language.resolve.warehouse_statement import likely_warehouse, publish, view
from language.sql.dialect import as_warehouse
from language.text.diagnostics import Diagnostic, Problem, Span
from language.text.inlined import Inlined
from language.text.nesting import too_deep


def resolve(
    syntax: Syntax, names: Names, problems: list[Diagnostic], memo: Memo | None = None, crew: Crew = ALONE
) -> ResolvedProgram:
    """The program's statements resolved; what is wrong with them is added to `problems`, their targets to `broken`."""
    failed: set[tuple[str, ...]] = set()
    flows = [statement for statement in syntax.statements if isinstance(statement, (Insert, CreateView))]
    if memo is not None:
        memo.among(names)

    def resolved(number: int) -> Resolved | None:
        statement = flows[number]
        found = memo.resolved(statement) if memo is not None else None
        if found is not None:
            return found
        try:
            found = _statement(statement, names)
            check_lengths(found)
        except (Problem, Undeclared, RecursionError) as error:
            found = None
            failed.add(statement.target.folded)
            if isinstance(error, Problem):
                problems.extend(error.diagnostics)
            elif isinstance(error, RecursionError):
                problems.append(too_deep(statement.span).diagnostic)
        if found is not None and (vain := _in_vain(found)):
            problems.extend(vain)
        elif memo is not None and found is not None and not (found.query and isinstance(found.query.span.source, Inlined)):
            memo.keep_resolved(found)
        return found

    numbers = range(len(flows))
    unknown = [flows[number] for number in crew.share(numbers) if memo is None or not memo.knows_resolved(flows[number])]
    _read_ahead(unknown, names)
    statements = tuple(found for found in crew.each(numbers, resolved) if found is not None)
    check_uncalled(names, problems)
    names.broken |= failed
    return ResolvedProgram(names.connections, names.warehouses, statements)


def _in_vain(found: Resolved) -> list[Diagnostic]:
    """The mistakes of a statement by which nothing else of it is unknown, so that its readers are checked as well."""
    try:
        check_meaning(found.query, found.statement.clauses)
    except Problem as problem:
        return problem.diagnostics
    return []


def _read_ahead(statements: Iterable[Insert | CreateView], names: Names) -> None:
    """Has each warehouse's engine read its queries at once, as far as the first names in them tell whose they are."""
    queries: dict[str, list[Span]] = {}
    for statement in statements:
        query, first = statement.clauses.query, statement.target.parts[0].folded
        warehouse = names.warehouses.get(first)
        if query is not None and isinstance(statement, Insert):
            warehouse = likely_warehouse(query, names) if first in names.connections else None
        if query is None or warehouse is None:
            continue
        with contextlib.suppress(Problem):  # which is told where the statement is resolved
            organizer = names.organizer(warehouse, statement.clauses.engine, query)
            queries.setdefault(organizer.capabilities.dialect, []).append(query)
    for name, found in queries.items():
        as_warehouse(name).read_ahead(found)


def _statement(statement: Insert | CreateView, names: Names) -> Resolved:
    endpoint = names.of_target(statement.target, published=isinstance(statement, Insert))
    if isinstance(statement, CreateView):
        return view(statement, endpoint, names)
    if isinstance(endpoint, CreateConnection):
        return publish(statement, endpoint, names)
    return collect_tables(statement, endpoint, names) or collect_query(statement, endpoint, names)
