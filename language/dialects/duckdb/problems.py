"""What DuckDB has against a query, in our words: a place, a cause and a remedy; all of its unknown names at once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from language.dialects.duckdb.answers import Bound, EngineError
from language.dialects.duckdb.call_problems import call_problem
from language.dialects.duckdb.engine import Engine, Tables
from language.dialects.duckdb.foreign import in_duckdb
from language.dialects.duckdb.locating import located
from language.dialects.duckdb.misread import backquoted, foreign
from language.dialects.duckdb.said import Said, Scope
from language.dialects.duckdb.syntax_tree import called, read
from language.dialects.duckdb.text import Place, QueryText
from language.dialects.duckdb.wording import QUOTED, of_select, rule_of, worded
from language.sql.misplaced import NO_PARAMETERS, is_date_part
from language.sql.problems import QueryProblem
from language.sql.query import BATCH_BOUNDS, OWN_COLUMNS
from language.text.diagnostics import did_you_mean

MOST = 20  # mistakes that are told of one query
_CANDIDATES = re.compile(r"Candidate (?:bindings|tables): (.*)")
_CURLY = re.compile("[\u2018\u2019\u201c\u201d]")
_NOT_NAMES = re.compile(r"\b(?:NULL|SQLNULL)\b")


@dataclass(frozen=True)
class Rest:
    """What is left of a query without what is wrong with it.  back: a place of `text` ▸ the query's."""

    text: str
    bound: Bound
    back: Callable[[int], int]

    def moved(self, problem: QueryProblem) -> QueryProblem:
        return _moved(problem, self.back)


def binding_problems(text: str, first: EngineError, tables: Tables, engine: Engine) -> tuple[tuple[QueryProblem, ...], Rest | None]:
    """All that DuckDB has against the names and calls of a text, of which it tells the first; and what is left of the query.

    What is wrong is taken out, and the rest is asked for again.
    """
    found: list[QueryProblem] = []
    patches: list[tuple[Place, str]] = []
    causes: set[str] = set()
    error = first
    rest: Rest | None = None
    while rest is None and len(found) < MOST:
        patched, back = _patched(text, patches)
        problem, place = _explained(QueryText(patched), error, tables, engine)
        if patches and (place is None or _NOT_NAMES.search(problem.cause)):
            break  # may come from what was taken out
        if problem.cause not in causes:  # of a CTE's column the query that reads it says the same
            found.append(_moved(problem, back))
            causes.add(problem.cause)
        taken = _original(place, back) if place is not None else None
        if taken is None or any(start < taken[1] and taken[0] < end for (start, end), _ in patches):
            break
        patches.append((taken, "NULL"))
        patches.sort()
        try:
            left, back = _patched(text, patches)
            rest = Rest(left, engine.bind(left, tables), back)
        except EngineError as other:
            error = other
    return tuple(dict.fromkeys(found)), rest


def unknown_functions(query: QueryText, said: Said, engine: Engine) -> Iterator[QueryProblem]:
    """Calls of what is no function, whatever the inputs' columns are."""
    for call in said.calls:
        error = None if call.in_from or not call.name.isidentifier() else engine.unknown_function(call.name, over=call.windowed)
        if error is not None:
            yield _explained(query, dataclasses.replace(error, position=call.at), None, engine)[0]


def _patched(text: str, patches: Sequence[tuple[Place, str]]) -> tuple[str, Callable[[int], int]]:
    """The text with what is wrong taken out, and where a character of it stood before."""
    pieces, done = list[str](), 0
    moves: list[tuple[int, int]] = []  # from here on in the patched text, this much was taken away
    length = 0
    for (start, end), put in patches:
        pieces += text[done:start], put
        length += start - done + len(put)
        moves.append((length, (end - start) - len(put)))
        done = end
    pieces.append(text[done:])

    def back(at: int) -> int:
        return at + sum(less for begin, less in moves if at >= begin)

    return "".join(pieces), back


def _original(place: Place, back: Callable[[int], int]) -> Place:
    return back(place[0]), back(place[1])


def _moved(problem: QueryProblem, back: Callable[[int], int]) -> QueryProblem:
    return QueryProblem(back(problem.start), back(problem.end), problem.cause, problem.remedy)


def _explained(query: QueryText, error: EngineError, tables: Tables | None, engine: Engine) -> tuple[QueryProblem, Place | None]:
    """One mistake, and what to take out so that others can be found; None where that cannot be told.  tables: None if not known."""
    at = error.position
    if told := of_select(query, error, [column.name for columns in (tables or {}).values() for column in columns]):
        return told, (told.start, told.end)
    if at is not None and (found := _name_problem(query, error, at, tables or {}, engine)) is not None:
        return found, (found.start, found.end)
    if at is not None and error.subtype == "NO_MATCHING_FUNCTION":
        problem, place = call_problem(query, error, at, engine), query.call(at)
        distinct = place is not None and "DISTINCT" in query.text[slice(*place)].upper()  # of several columns: told already
        if place is not None and not distinct and (meant := _elsewhere(query, place, tables, engine)):
            problem = dataclasses.replace(problem, remedy=f"write {meant}")
        return _of_operator(query, error.name, problem, engine), (problem.start, problem.end)
    problem, ruled = worded(error, query, engine), rule_of(error)
    if ruled is not None and ruled[0].foreign and (quoted := backquoted(query.text, engine)):
        return quoted, None
    if ruled is not None and ruled[0].foreign and (translated := foreign(query.text, engine)) and translated.words:
        return dataclasses.replace(problem, start=translated.start, end=translated.end, remedy=translated.remedy), None
    if at is None and (problem.start, problem.end) == query.first_word() and (trial := located(query, error, tables or {}, engine)):
        (start, end), alone = trial
        return dataclasses.replace(problem, start=start, end=end), (start, end) if alone else None
    if at is None or ruled is None:
        return problem, None
    call = query.call(at)
    if call is None:
        problem = _of_operator(query, error.name, problem, engine)
        return problem, (problem.start, problem.end) if ruled[0].names else None
    if "Function with name" not in error.message:
        return problem, call
    elsewhere = _elsewhere(query, call, tables, engine)
    return (dataclasses.replace(problem, remedy=f"write {elsewhere}") if elsewhere else problem), call


def _elsewhere(query: QueryText, call: Place, tables: Tables | None, engine: Engine) -> str | None:
    """What to write for a call, as other engines mean it."""
    return in_duckdb(query.text[slice(*call)], lambda written: _can_stand(query, call, written, tables, engine))


def _of_operator(query: QueryText, name: str, problem: QueryProblem, engine: Engine) -> QueryProblem:
    """What is said of an operator that DuckDB does not have there, and another engine has; any other problem as it is."""
    if not name or name.isidentifier():
        return problem
    translated = foreign(f"SELECT {query.text[problem.start : problem.end]}", engine)
    cause = problem.cause.replace("no function", "no operator")
    remedy = translated.remedy if translated is not None and name in translated.words else problem.remedy.replace("a function", "one")
    return dataclasses.replace(problem, cause=cause, remedy=remedy)


def _can_stand(query: QueryText, place: Place, written: str, tables: Tables | None, engine: Engine) -> bool:
    """Whether a text binds in a place of the query, whatever else is wrong there, and calls nothing that a query must not."""
    try:
        calls = called(engine.tree(f"SELECT {written}"))
    except EngineError:
        return False
    if any(name in engine.catalogue.impure_functions and name not in BATCH_BOUNDS for name in calls):
        return False
    if tables is None:
        return all(engine.unknown_function(name, over=False) is None for name in calls if name.isidentifier())
    patched = QueryText(f"{query.text[: place[0]]}{written}{query.text[place[1] :]}")
    try:
        engine.bind(patched.text, tables)
    except EngineError as error:
        return error.position is not None and not place[0] <= patched.at(error.position) < place[0] + len(written)
    return True


def _name_problem(query: QueryText, error: EngineError, at: int, tables: Tables, engine: Engine) -> QueryProblem | None:
    place, message = query.path(at), error.message
    scope = _scope_at(query.text, at, engine)
    if found := re.match(r'Referenced column "(.+)" not found in FROM clause', message):
        if query.text[: place[0]].endswith("@"):
            return QueryProblem(place[0] - 1, place[1], *NO_PARAMETERS)
        if is_date_part(query.text, *place):
            return QueryProblem(*place, f"there is no column `{found[1]}` here", f"write it as a text: '{found[1].lower()}'")
        known = list(_columns_in(scope, tables))
        remedy = _meant(found[1], known, _candidates(message), query.text[slice(*place)])
        return QueryProblem(*place, f"there is no column `{found[1]}` here", remedy)
    if found := re.match(r'Referenced table "(.+)" not found', message):
        column = query.text[slice(*place)].rpartition(".")[2].strip('"')
        if inside := list(_columns_in(scope, tables, found[1])):  # DuckDB looked for it in the query around this one as well
            return QueryProblem(*place, f"`{found[1]}` has no column `{column}`", _meant(column, inside, ()))
        known = [table.called for table in scope.tables] + scope.others if scope else []
        return QueryProblem(
            *place, f"there is no table `{found[1]}` here", did_you_mean(found[1], known) + "name one that FROM names"
        )
    if found := re.match(r'(?:Table|[Vv]alues list) "(.+)" does not have a column named "(.+)"', message):
        remedy = _meant(found[2], list(_columns_in(scope, tables, found[1])), _candidates(message))
        return QueryProblem(*place, f"`{found[1]}` has no column `{found[2]}`", remedy)
    if found := re.match(r'Ambiguous reference to column name "(.+?)" \(use: (.+)\)', message):
        holders = [name.rpartition(".")[0] for name in QUOTED.findall(found[2])]
        if len(set(holders)) < len(holders):
            name = next(name for name in holders if holders.count(name) > 1)
            return QueryProblem(*place, f"two tables are called `{name}` here", "give each an alias of its own")
        cause = f"`{found[1]}` is ambiguous: {', '.join(holders)} have it"
        return QueryProblem(*place, cause, f"write {holders[0]}.{found[1]}" if holders else "name its table")
    return None


def _scope_at(text: str, at: int, engine: Engine) -> Scope | None:
    try:
        said: Said = read(engine.tree(text))
    except EngineError:
        return None
    return next((column.scope for column in said.columns if column.at == at), None)


def _columns_in(scope: Scope | None, tables: Tables, called: str = "") -> Iterator[str]:
    for table in scope.tables if scope else ():
        if called.lower() in ("", table.called):
            columns = tables.get(table.path, ())
            yield from (*table.columns, *(column.name for column in columns[len(table.columns) :]))


def _candidates(message: str) -> list[str]:
    found = _CANDIDATES.search(message)
    return [name.rpartition(".")[2] for name in QUOTED.findall(found[1])] if found else []


def _meant(name: str, known: Sequence[str], near: Sequence[str], written: str = "") -> str:
    """The remedy for a name that is not there.  known: all that are; near: where these are not known, some like it."""
    if name.lower() in OWN_COLUMNS:
        return f"a * does not bring it: name it there too, as in SELECT *, {name.lower()}"
    if _CURLY.search(name):
        return "write a text in straight quotes: '…'"
    hint = did_you_mean(name, known or near)
    text = f"write a text in single quotes: '{name}'; " if written.startswith('"') and not hint else ""
    names = sorted(set(known))
    listed = f"it has {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
    if not names:
        listed = f"name one that there is, such as {', '.join(near[:3])}" if near else "name one that there is"
    return text + hint + listed
