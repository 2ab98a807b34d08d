"""A query's columns, as far as its text tells them, and what a statement's clauses say of them."""

from __future__ import annotations

from sqlglot import exp

from language.diagnostics import Problem, Span, did_you_mean
from language.queries import ParsedQuery, parse_predicate, place
from language.resolved import Settings
from language.syntax import Clauses

_ALWAYS = frozenset({"_batch", "_deleted"})


def check_output(query: ParsedQuery | None, clauses: Clauses, settings: Settings, dialect: str) -> None:
    """Raises Problem for a clause that names a column which the query does not have, or an unfit expectation.

    query: None for a list of tables, whose columns only the source knows.  dialect: of expectations.
    """
    known = output_columns(query) if query is not None else None
    if known is not None:
        _check_named(clauses, settings, known)
    for expectation in clauses.expectations:
        predicate = parse_predicate(expectation.predicate, dialect)
        for column in predicate.find_all(exp.Column):
            if known is not None and len(column.parts) == 1:
                _check_known(column.name.lower(), known, place(column.this, expectation.predicate), "column")


def output_columns(query: ParsedQuery) -> frozenset[str] | None:
    """The folded names of the query's columns; None where `*` or an unnamed expression hides one.

    Raises Problem for two of one name.
    """
    names: set[str] = set()
    for select in query.tree.selects:
        if not isinstance(select, exp.Alias | exp.Column) or select.is_star:
            return None
        name = select.alias_or_name.lower()
        if name in names:
            cause = f"two columns would be called `{name}` (names are folded to lower case)"
            raise Problem(query.place(select), cause, "rename one by AS")
        names.add(name)
    return frozenset(names) or None


def _check_named(clauses: Clauses, settings: Settings, known: frozenset[str]) -> None:
    default = clauses.spans["mode"] if clauses.mode else clauses.spans["every"]
    keys = {part.folded: part.span for part in (clauses.mode.key if clauses.mode else ())}
    for column in settings.key:
        _check_known(column, known, keys.get(column, default), "key column")
    if settings.cursor:
        span = clauses.cursor.span if clauses.cursor else default
        _check_known(settings.cursor, known, span, "cursor column")
    for part in clauses.partition_by:
        _check_known(part.folded, known, part.span, "partition column")


def _check_known(column: str, known: frozenset[str], span: Span, what: str) -> None:
    if column not in known and column not in _ALWAYS:
        cause = f"the {what} `{column}` is not among the query's columns"
        raise Problem(span, cause, did_you_mean(column, known) + "add it to the SELECT, or name another column")
