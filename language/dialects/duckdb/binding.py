"""Types one query by asking DuckDB: its columns with their types and origins, its uses of its inputs' columns, what is wrong.

The text that runs is the one that was written, but for the tables of a query that speaks of all columns of one (`*`, NATURAL JOIN,
a whole row …): each becomes a subquery of the columns that it has now, so that one which comes later is not among them. Both texts
are bound, and must mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from language.dialects.duckdb.answers import Bound, EngineError
from language.dialects.duckdb.constant_arguments import constant_arguments
from language.dialects.duckdb.constants import constant_problems
from language.dialects.duckdb.engine import Engine, Tables, engine
from language.dialects.duckdb.impossible_casts import impossible_casts
from language.dialects.duckdb.own_columns import by_folded, in_sight, meant, own_brought, partly_deleted
from language.dialects.duckdb.pinning import PLAIN, as_meant, but_atolls, pinned, with_edits
from language.dialects.duckdb.plan_casts import casts_in
from language.dialects.duckdb.plan_lineage import ROW_NUMBER, PlanLineage, Unplanned, lineage
from language.dialects.duckdb.plan_references import Ref
from language.dialects.duckdb.problems import Rest, binding_problems
from language.dialects.duckdb.purity import impurities
from language.dialects.duckdb.query import DuckDBQuery
from language.dialects.duckdb.said import Said, Scope
from language.dialects.duckdb.text import Place
from language.sql.problems import QueryProblem
from language.sql.typing import QueryColumn, QueryUse, TypedQuery
from language.text.diagnostics import SourceText, Span, did_you_mean
from shared_metadata.program.lineage import Use

_FIELD = re.compile(r'"((?:[^"]|"")*)":')  # of a type's text
_NAMELESS = ": its fields have no names"
_UNKNOWN = re.compile(r"there is no|`.*` has no|`.*` is ambiguous|two tables are called")


def bind_query(query: DuckDBQuery, tables: Tables) -> TypedQuery:
    """Types a query over its inputs.  tables: by their names in FROM; a column of no type is of a statement that is itself wrong."""
    judge, said, complete = engine(), query.said, all(column.type for columns in tables.values() for column in columns)
    seen = in_sight(said, tables)
    try:
        bound = judge.bind(query.span.text, seen, _written_names(query))
        plan = _lineage(bound, said, seen)
    except EngineError as error:
        found, rest = binding_problems(query.span.text, error, seen, judge)
        more = _besides(query, rest, seen, judge) if complete else list(constant_problems(query.text, query.tree, judge))
        told = found if complete else tuple(p for p in found if _UNKNOWN.match(p.cause))
        apart = [p for p in more if not any(p.start < other.end and other.start < p.end for other in found)]
        return TypedQuery(_untyped(query, rest.bound if rest else None), problems=tuple(dict.fromkeys([*told, *apart])))
    problems = [*_of_values(query, bound, judge), *own_brought(query, seen)]
    problems += [*partly_deleted(query, tables), *_renamed(query, seen)]
    if unfit := [*_row_numbers(query, plan)]:
        return TypedQuery(_untyped(query, bound), problems=(*problems, *unfit))
    uses, edits, runs = tuple(_uses(query, plan, seen)), pinned(query, seen), bound
    if edits:
        try:
            runs = judge.bind(with_edits(query, edits), tables)
            meant = as_meant(query, bound, seen)
        except EngineError:
            runs, meant = Bound((), None), bound
        if not runs.columns or but_atolls(runs, said) != but_atolls(meant, said):
            cause = "the columns behind a * here cannot be pinned to those that there are now"
            problems.append(QueryProblem(*query.text.first_word(), cause, "name the columns"))
        plan = _lineage(runs, said, tables)
    columns, unfit = _columns(query, runs, plan, seen, complete and not problems)
    return TypedQuery(columns, uses, edits, tuple(dict.fromkeys([*problems, *unfit])))


def _of_values(query: DuckDBQuery, bound: Bound, judge: Engine) -> Iterator[QueryProblem]:
    """What is wrong though it binds."""
    casts = casts_in(bound.plan if bound.casts else None)
    impossible = list(impossible_casts(query, casts, judge))
    within = {(problem.start, problem.end) for problem in impossible}
    for problem in constant_problems(query.text, query.tree, judge, casts):
        if not any(problem.start <= start and end <= problem.end for start, end in within - {(problem.start, problem.end)}):
            yield problem  # what has no value for a part of it, which is told itself, is not told again
    yield from constant_arguments(query.text, query.tree, query.said, bound.plan, judge)
    yield from impurities(query.text, query.said, bound, judge)
    yield from impossible


def _besides(query: DuckDBQuery, rest: Rest | None, tables: Tables, judge: Engine) -> list[QueryProblem]:
    """What is wrong with what is left of a query that does not bind."""
    if rest is None:
        return list(constant_problems(query.text, query.tree, judge))
    left = DuckDBQuery(Span(SourceText(query.span.source.file, rest.text), 0, len(rest.text)))
    found = _of_values(left, rest.bound, judge)
    return [rest.moved(problem) for problem in found]


def plan_ahead(queries: Iterable[tuple[DuckDBQuery, Tables]]) -> None:
    """Has DuckDB plan many queries by one call, which costs half of as many calls; `bind_query` of them then is faster."""
    engine().plan_ahead([(query.span.text, in_sight(query.said, tables)) for query, tables in queries])


def _written_names(query: DuckDBQuery) -> Sequence[str]:
    """The names of all columns; none where the text does not tell all of them."""
    return query.written_names if all(query.written_names) else ()


def _untyped(query: DuckDBQuery, rest: Bound | None) -> tuple[QueryColumn, ...]:
    """The columns of a query that is wrong, as far as they have names: what reads them is then wrong for its own mistakes only."""
    names, places = _written_names(query), query.items
    if not names and rest is not None:
        names, places = [column.name for column in rest.columns if column.name != "NULL"], []
    if len(places) != len(names):
        names, places = list(dict.fromkeys(names)), []
    found = zip(names, places or [query.text.first_word()] * len(names), strict=True)
    return tuple(QueryColumn(name.lower(), "", (), *place) for name, place in found)


def _lineage(bound: Bound, said: Said, tables: Tables) -> PlanLineage:
    """The lineage by the plan; where DuckDB gives none that is known here, every output is made from every column of every input."""
    names = {tuple(name.split(".")): name for name in tables}

    def named(database: str, schema: str, table: str) -> str:
        for parts in ((database, schema, table), (schema, table), (table,)):
            if parts in names:
                return names[parts]
        raise Unplanned(table)

    try:
        if bound.plan is not None:
            return lineage(bound.plan, named)
    except Unplanned:
        pass
    read = frozenset((t.path, c.name) for t in said.tables for c in tables.get(t.path, ()))
    return PlanLineage((read,) * len(bound.columns), frozenset((ref, Use.FILTER) for ref in read), read)


def _row_numbers(query: DuckDBQuery, plan: PlanLineage) -> Iterator[QueryProblem]:
    if any(ref[1] == ROW_NUMBER for refs in (*plan.outputs, {ref for ref, _ in plan.uses}) for ref in refs):
        named = (query.text.path(column.at) for column in query.said.columns if column.names[-1].lower() == "rowid")
        yield QueryProblem(*next(named, query.text.first_word()), "there is no column `rowid`", "take the table's key")


def _renamed(query: DuckDBQuery, tables: Tables) -> Iterator[QueryProblem]:
    """DuckDB passes over a RENAME of what is not there, where it refuses an EXCLUDE."""
    for star in query.said.stars:
        known = {column.name.lower() for table in star.tables for column in tables.get(table.path, ())}
        for name in star.renamed if not star.scope.others else ():
            if name not in known:
                place = query.text.find(name) or query.text.first_word()
                cause = f"RENAME names `{name}`, which is no column behind this *"
                yield QueryProblem(*place, cause, did_you_mean(name, known) + "name a column that there is")


def _columns(
    query: DuckDBQuery, bound: Bound, plan: PlanLineage, tables: Tables, judged: bool
) -> tuple[tuple[QueryColumn, ...], list[QueryProblem]]:
    columns, problems = list[QueryColumn](), list[QueryProblem]()
    places = query.items if len(query.items) == len(bound.columns) else []
    stars = [place for star in query.said.stars if (place := query.text.star(star.at))]
    untyped = {(table, column.name) for table, each in tables.items() for column in each if not column.type}
    for number, (name, type_, kind, nameless) in enumerate(bound.columns):
        start, end = places[number] if places else (stars or [query.text.first_word()])[0]
        if not places and type_ is None:
            start, end = query.made(name.lower()) or (start, end)
        if judged and not PLAIN.fullmatch(name.lower()) and name.lower() not in query.said.words.union(_names_in(tables)):
            problems += _unnamed(query, name, (start, end))
        elif judged and type_ is None:
            cause = f"the column `{name}` has the type {kind}, which no table can hold{_NAMELESS if nameless else ''}"
            remedy = "name them, as in struct_pack(a := …)" if nameless else "CAST it to the type that it is to have"
            problems.append(QueryProblem(start, end, cause, remedy))
        refs = plan.outputs[number] if number < len(plan.outputs) else frozenset()
        told = type_ if not untyped or untyped.isdisjoint(ref[:2] for ref in refs) else ""
        columns.append(QueryColumn(name.lower(), told or "", tuple(sorted(refs)), start, end))
    return tuple(columns), list(dict.fromkeys(problems))


def _names_in(tables: Tables) -> Iterator[str]:
    """Names of columns, and of their fields that no plain word names, folded."""
    for column in (column for each in tables.values() for column in each):
        yield column.name.lower()
        yield from (name.replace('""', '"').lower() for name in _FIELD.findall(column.type))


def _unnamed(query: DuckDBQuery, name: str, item: Place) -> Iterator[QueryProblem]:
    """What is wrong with a column whose name no AS gives, if nothing else of the text does.  item: of the SELECT."""
    given = next((names for names in query.said.given_names if names.pattern.fullmatch(name)), None)
    if given is None:
        yield QueryProblem(*item, "this column has no name", "name it with AS")
    for at in given.unnamed if given else ():
        place = query.text.call(at) or query.text.path(at)
        yield QueryProblem(*place, "the columns of this aggregate have no name", f"add AS after {query.text.text[slice(*place)]}")


# -- places


def _uses(query: DuckDBQuery, plan: PlanLineage, tables: Tables) -> Iterator[QueryUse]:
    """Each use, at the first place where the text names the column, or field, so; else where it names it, or means it by a star."""
    direct = _direct(query, tables)
    uses = set(plan.uses) | {(ref, Use.VALUE) for refs in plan.outputs for ref in refs}
    used = {ref for ref, _ in uses}
    uses |= {(ref, Use.VALUE) for ref in plan.read if ref not in used}
    anywhere: dict[Ref, Place] = {}
    for (ref, _), place in direct.items():
        anywhere[ref] = min(place, anywhere.get(ref, place))
    for ref, use in sorted(uses):
        named = ref if len(ref) == 2 else (*ref[:2], *map(str.lower, ref[2:]))
        told = direct.get((named, use)) or anywhere.get(named) or direct.get((ref[:2], use)) or anywhere.get(ref[:2])
        yield QueryUse(ref[0], ref[1], use, *(told or _indirect(query, ref)), ref[2:])


def _direct(query: DuckDBQuery, tables: Tables) -> dict[tuple[Ref, Use], Place]:
    found: dict[tuple[Ref, Use], Place] = {}
    names = by_folded(tables)
    first: dict[tuple[tuple[str, ...], Scope, Use], int] = {}  # where each name stands first
    for column in query.said.columns:
        key = column.names, column.scope, column.use
        first[key] = min(column.at, first.get(key, column.at))
    for (named, scope, use), at in first.items():
        for table, known in meant(named, scope, names):
            place = query.text.path(at)
            refs: list[Ref] = [(table.path, known)]
            if named[-1].lower() != known.lower() and (fields := _after(known, named)):
                refs.append((table.path, known, *fields))
            for ref in refs:
                found[ref, use] = min(place, found.get((ref, use), place))
    for name, at, scope in query.said.using:
        for table, known in meant((name,), scope, names):
            place = query.text.find(name) or query.text.path(at)
            found.setdefault(((table.path, known), Use.JOIN), place)
    return found


def _after(column: str, names: Sequence[str]) -> Sequence[str]:
    """The fields, folded, that a dotted name names behind a column."""
    folded = [name.lower() for name in names]
    return folded[folded.index(column.lower()) + 1 :]


def _indirect(query: DuckDBQuery, ref: Ref) -> Place:
    for star in query.said.stars:
        if any(table.path == ref[0] for table in star.tables):
            return query.text.star(star.at) or query.text.first_word()
    stars = [place for star in query.said.stars if (place := query.text.star(star.at))]
    return stars[0] if stars else query.text.first_word()
