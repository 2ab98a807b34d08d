"""A query's columns, as far as its text tells them, and what a statement's clauses say of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from language.forms.resolved import Settings
from language.forms.syntax import Clauses, Expect
from language.resolve.name_lengths import check_column
from language.sql.dialect import AsWarehouse
from language.sql.query import OWN_COLUMNS, Query
from language.sql.typing import QueryColumn
from language.text.diagnostics import Gathering, Problem, Span, did_you_mean
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.type_names import field_names, parsed, words

_SHOWN = 5
_PLAIN = re.compile(r"[^\W\d]\w*")


def check_output(query: Query | None, clauses: Clauses, settings: Settings | None, engine: AsWarehouse[Any, Any]) -> None:
    """Raises Problem for a clause that names a column which the query does not have, or an unfit expectation.

    query: None for a list of tables, whose columns only the source knows.  settings: None where they are wrong themselves.
    engine: the warehouse's dialect, in which expectations are written.
    """
    with Gathering() as gathering:
        columns = gathering(output_columns, query) if query is not None else None
        known = columns | OWN_COLUMNS if columns is not None else None
        if known is not None and settings is not None:
            gathering(check_named, clauses, settings, known, "the query's columns")
        for expectation in clauses.expectations:
            gathering(_check_expectation, expectation, known, engine)


def _check_expectation(expectation: Expect, known: AbstractSet[str] | None, engine: AsWarehouse[Any, Any]) -> None:
    with Gathering() as gathering:
        for name, span in engine.predicate(expectation.predicate).columns():
            if known is not None:
                gathering(_check_known, name, known, span, "column", "the query's columns")


def output_columns(query: Query) -> frozenset[str] | None:
    """The folded names of the query's columns; None where `*` or an unnamed expression hides one."""
    names = [found[0] if found is not None else "" for found in query.output_names()]
    return frozenset(names) if names and all(names) else None


def check_twins(query: Query) -> None:
    """Raises Problem for two columns of one name, as far as the text tells names. Typing tells all of them."""
    names: set[str] = set()
    for name, span in filter(None, query.output_names()):
        if name in names:
            raise twins(name, span)
        names.add(name)


def twins_of_a_star(columns: Sequence[QueryColumn]) -> Mapping[tuple[int, int], Sequence[str]]:
    """Place of a `*` ▸ the names that other columns have, where these are several: they are one mistake."""
    seen: set[str] = set()
    met: dict[tuple[int, int], list[str]] = defaultdict(list)
    for column in columns:
        if column.name in seen:
            met[column.start, column.end].append(column.name)
        seen.add(column.name)
    return {place: names for place, names in met.items() if len(names) > 1}


def refuse_twins_of_a_star(names: Sequence[str], span: Span) -> None:
    """Raises Problem for what a `*` gives a second time."""
    shown, more = ", ".join(names[:_SHOWN]), f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    cause = f"{len(names)} names would be those of two columns each: {shown}{more}"
    raise Problem(span, cause, "name the columns that are wanted, or leave those out: a.*, b.* EXCLUDE (…)")


def twins(name: str, span: Span) -> Problem:
    """Two columns of one name."""
    return Problem(span, f"two columns would be called `{name}` (names are folded to lower case)", "rename one by AS")


def check_output_name(name: str, before: Container[str], into: Slice, own: AbstractSet[str], span: Span) -> None:
    """Raises Problem for a column's name that another has, or that is not free where it goes.  own: names of Atoll's own there."""
    if name in before:
        raise twins(name, span)
    if name in into.capabilities.own_columns:
        raise Problem(span, f"`{name}` is a column of {into.id}'s own", "rename it by AS")
    if name in own:
        remedy = "collect it by a query that renames it: SELECT …, the column AS another_name"
        raise Problem(span, f"`{name}` is a column of Atoll's own in every collected table", remedy)
    check_column(name, into, span)


def check_written(name: str, type_name: str, organizer: Slice, span: Span) -> None:
    """Raises Problem for a column of a type that the engine cannot write."""
    never, engine = organizer.capabilities.never_written, organizer.engine or organizer.id
    inner = field_names(parsed(type_name)) if organizer.capabilities.plain_names and type_name else ()
    for word in (name, *inner) if organizer.capabilities.plain_names else ():
        if not _PLAIN.fullmatch(word):
            remedy = f"name it with letters, digits and _, or have another engine {'compute' if word == name else 'make'} it: USING …"
            raise Problem(span, f"{engine} writes no {'column' if word == name else 'field'} called `{word}`", remedy)
    for kind in words(parsed(type_name)) if never and type_name else ():
        if kind in never:
            holds = "is of the type" if kind == type_name else "holds the type"
            why = dict(organizer.capabilities.never_because).get(kind, "")
            what = f"`{name}` {holds} {kind}, which {engine} writes into no table{': ' if why else ''}{why}"
            otherwise = "have another engine compute it: USING …" if organizer.warehouse else "leave it out"
            raise Problem(span, what, f"CAST it to VARCHAR, or {otherwise}")


def check_named(clauses: Clauses, settings: Settings, known: AbstractSet[str], where: str) -> None:
    """Raises Problem for a key, cursor or partition column that is not known; `where` says what is ("the query's columns")."""
    default = clauses.spans["mode"] if clauses.mode else clauses.spans["every"]
    unsaid = "" if clauses.mode and clauses.mode.key else ", which the slice takes where no clause names one,"
    keys = {part.folded: part.span for part in (clauses.mode.key if clauses.mode else ())}
    with Gathering() as gathering:
        for column in settings.key:
            gathering(_check_known, column, known, keys.get(column, default), "key column", where, unsaid)
        if settings.cursor:
            span = clauses.cursor.span if clauses.cursor else default
            unsaid = "" if clauses.cursor else ", which the slice takes where no clause names one,"
            gathering(_check_known, settings.cursor, known, span, "cursor column", where, unsaid)
        for part in clauses.partition_by:
            gathering(_check_known, part.folded, known, part.span, "partition column", where)


def _check_known(column: str, known: AbstractSet[str], span: Span, what: str, where: str, unsaid: str = "") -> None:
    if column not in known:
        cause = f"the {what} `{column}`{unsaid} is not among {where}"
        add = "add it to the SELECT, or name another column" if where == "the query's columns" else "name another column"
        add += "; REPLACE needs none" if unsaid else ""
        raise Problem(span, cause, did_you_mean(column, known - OWN_COLUMNS) + add)
