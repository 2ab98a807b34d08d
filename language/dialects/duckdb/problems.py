"""What DuckDB has against a query, in our words: a place, a cause and a remedy; all of its unknown names at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from language.diagnostics import did_you_mean
from language.dialects.duckdb.engine import Bound, Engine, EngineError, Tables
from language.dialects.duckdb.syntax_tree import Said, Scope, nodes_in, places_in, read
from language.dialects.duckdb.text import Place, QueryText
from language.query_problems import QueryProblem

MOST = 20  # mistakes that are told of one query
_CANDIDATES = re.compile(r"Candidate (?:bindings|tables): (.*)")
_CALL = re.compile(r"argument types '(.+?)\((.*)\)'\.")
_OVERLOAD = re.compile(r"^\t(.+?)\((.*)\) -> .*$", re.MULTILINE)
_QUOTED = re.compile(r'"([^"]+)"')
_KEYWORDS = ("select", "from", "where", "group", "having", "order", "join", "union", "limit", "qualify", "window", "values", "using")
_LITERALS = {"STRING_LITERAL": "a text", "INTEGER_LITERAL": "a number"}
_OPERATORS = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE", "~~~": "GLOB"}
_NOT_NAMES = re.compile(r"\b(?:NULL|SQLNULL)\b")


@dataclass(frozen=True)
class _Rule:
    """A message of DuckDB's, and what is said instead; groups are those of the pattern."""

    pattern: re.Pattern[str]
    cause: str
    remedy: str


def _rule(pattern: str, cause: str, remedy: str) -> _Rule:
    return _Rule(re.compile(pattern), cause, remedy)


_RULES = (
    _rule(
        r"column \"?([^\"]+?)\"? must appear in the GROUP BY",
        "`{0}` is neither grouped nor aggregated",
        "add it to GROUP BY, or write an aggregate such as any_value({0})",
    ),
    _rule(r'Type with name (.+?) does not exist!(?:\nDid you mean "(.+?)")?', "there is no type `{0}`", "write a type of DuckDB's"),
    _rule(r"Function with name (.+?) does not exist", "there is no function `{0}`", "write a function that the warehouse has"),
    _rule(
        r'Column "(.+?)" in (\w+) list not found', "{1} names `{0}`, which is no column behind this *", "name a column that there is"
    ),
    _rule(
        r"(\w+) clause cannot contain window functions", "{0} comes before windows are computed", "filter by a window with QUALIFY"
    ),
    _rule(r"(\w+) clause cannot contain aggregates", "{0} comes before groups are made", "filter groups with HAVING"),
    _rule(r"aggregate function calls cannot be nested", "an aggregate stands in another one", "aggregate in a subquery first"),
    _rule(
        r"Subquery returns (\d+) columns - expected 1", "this subquery has {0} columns where one is wanted", "select one column in it"
    ),
    _rule(r"(GROUP BY|ORDER) term out of range - (.*)", "there is no column of this number: it {1}", "name the column"),
    _rule(r'Duplicate CTE name "(.+?)"', "two tables are called `{0}` here", "give each a name of its own"),
    _rule(
        r"Set operations can only apply to expressions with the same number",
        "the two sides have different numbers of columns",
        "select as many columns on both sides",
    ),
    _rule(
        r"Cannot mix values of type (.+) and (.+) in (\w+)",
        "{2} cannot hold both {0} and {1}",
        "CAST one to the other's type",
    ),
    _rule(
        r"Cannot compare values of type (.+?) and (?:type )?(.+?) -",
        "{0} cannot be compared with {1}",
        "CAST one to the other's type",
    ),
    _rule(r'Could not ORDER BY column "(.+?)"', "there is no column `{0}` here", "order by a column that the SELECT puts out"),
    _rule(
        r'[Cc]olumn "(.+?)" does not exist on (?:left|right) side of join',
        "not both sides of the join have `{0}`",
        "join ON a condition",
    ),
    _rule(r"UNNEST\(\) can only be applied to lists, structs and NULL, not (.+)", "unnest takes a list, not {0}", "make it a list"),
    _rule(r'Duplicate alias "(.+?)"', "two tables are called `{0}` here", "give each an alias of its own"),
    _rule(
        r"(?i)nameListToString NOT IMPLEMENTED",
        "a table in a warehouse has three names",
        "write warehouse.schema.table, as in lake.ops.flights",
    ),
    _rule(
        r"[Mm]ax expression depth limit of (\d+)",
        "this query is more than {0} levels deep: a table that reads another one in WITH is a level too",
        "make views of its parts",
    ),
    _rule(r"Only SELECT statements", "a query must be a SELECT", "write AS SELECT …"),
    _rule(r"SELECT (INTO|locking clause)", "a query only reads", "remove INSERT, UPDATE, DELETE, INTO or FOR UPDATE"),
)


def syntax_problem(text: str, error: EngineError, engine: Engine) -> QueryProblem:
    """Why a text cannot be parsed."""
    query = QueryText(text)
    for rule in _RULES:
        if rule.pattern.search(error.message):
            return _by_rule(error, query, engine)
    if error.position is None:
        return QueryProblem(*query.first_word(), f"this SQL cannot be read: {_first_line(error)}", "check the SQL")
    near = query.word(error.position)
    before = [place for place in query.tokens if place[1] <= near[0]]
    if (word := _reserved(query, [near, *before[-1:]], error, engine)) is not None:
        name = text[slice(*word)]
        return QueryProblem(*word, f"`{name}` is a word of SQL, and cannot stand here as a name", f'write it in quotes: "{name}"')
    for place in reversed(before[-3:]):
        meant = difflib.get_close_matches(text[slice(*place)].lower(), _KEYWORDS, 1, 0.75)
        if meant and meant[0] != text[slice(*place)].lower():
            return QueryProblem(
                *place, f"this SQL cannot be read: `{text[slice(*place)]}` is no word of it", f"did you mean {meant[0].upper()}?"
            )
    at_end = near[0] >= len(text.rstrip())
    cause = "it ends where more is expected" if at_end else f"`{text[slice(*near)]}` is not expected here"
    signs = [text[slice(*place)] for place in before]
    open_ = signs.count("(") > signs.count(")")
    remedy = "close the parenthesis that is open here" if open_ else "check the SQL before and at this place"
    return QueryProblem(*near, f"this SQL cannot be read: {cause}", remedy)


def _reserved(query: QueryText, places: Sequence[Place], error: EngineError, engine: Engine) -> Place | None:
    """The word that would be read if it stood in quotes."""
    for start, end in places:
        word = query.text[start:end]
        clause = word.lower() in _KEYWORDS
        if word.lower() not in engine.reserved_words or (clause and (start, end) != places[0]):
            continue
        quoted = f'{query.text[:start]}"{word}"{query.text[end:]}'
        try:
            engine.tree(quoted)
            return start, end
        except EngineError as other:
            beyond = other.position is not None and error.position is not None and other.position > error.position + 2
            if beyond and not clause:
                return start, end
    return None


def binding_problems(text: str, first: EngineError, tables: Tables, engine: Engine) -> tuple[tuple[QueryProblem, ...], Bound | None]:
    """All that DuckDB has against the names and calls of a text, of which it tells the first; and what is left of the query.

    What is wrong is taken out, and the rest is asked for again.
    """
    found: list[QueryProblem] = []
    patches: list[tuple[Place, str]] = []
    causes: set[str] = set()
    error, rest = first, None
    while rest is None and len(found) < MOST:
        patched, back = _patched(text, patches)
        problem, place = _explained(QueryText(patched), error, tables, engine)
        if patches and (place is None or _NOT_NAMES.search(problem.cause)):
            break  # may come from what was taken out
        if problem.cause not in causes:  # of a CTE's column the query that reads it says the same
            found.append(_moved(problem, back))
            causes.add(problem.cause)
        if place is None:
            break
        patches.append((_original(place, back), "NULL"))
        patches.sort()
        try:
            rest = engine.bind(_patched(text, patches)[0], tables)
        except EngineError as other:
            error = other
    return tuple(dict.fromkeys(found)), rest


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


def _explained(query: QueryText, error: EngineError, tables: Tables, engine: Engine) -> tuple[QueryProblem, Place | None]:
    """One mistake, and what to take out so that others can be found; None where that cannot be told."""
    at = error.position
    if at is not None and (found := _name_problem(query, error, at, tables, engine)) is not None:
        return found, (found.start, found.end)
    if at is not None and error.subtype == "NO_MATCHING_FUNCTION":
        problem = _call_problem(query, error, at, engine)
        return problem, (problem.start, problem.end)
    problem = _by_rule(error, query, engine)
    return problem, query.call(at) if at is not None and "Function with name" in error.message else None


def _name_problem(query: QueryText, error: EngineError, at: int, tables: Tables, engine: Engine) -> QueryProblem | None:
    place, message = query.path(at), error.message
    scope = _scope_at(query.text, at, engine)
    if found := re.match(r'Referenced column "(.+)" not found in FROM clause', message):
        known = list(_columns_in(scope, tables)) or _candidates(message)
        return QueryProblem(*place, f"there is no column `{found[1]}` here", did_you_mean(found[1], known) + _listed(known))
    if found := re.match(r'Referenced table "(.+)" not found', message):
        column = query.text[slice(*place)].rpartition(".")[2].strip('"')
        if inside := list(_columns_in(scope, tables, found[1])):  # DuckDB looked for it in the query around this one as well
            return QueryProblem(*place, f"`{found[1]}` has no column `{column}`", did_you_mean(column, inside) + _listed(inside))
        known = [table.called for table in scope.tables] + scope.others if scope else []
        return QueryProblem(
            *place, f"there is no table `{found[1]}` here", did_you_mean(found[1], known) + "name one that FROM names"
        )
    if found := re.match(r'Table "(.+)" does not have a column named "(.+)"', message):
        known = list(_columns_in(scope, tables, found[1])) or _candidates(message)
        return QueryProblem(*place, f"`{found[1]}` has no column `{found[2]}`", did_you_mean(found[2], known) + _listed(known))
    if found := re.match(r'Ambiguous reference to column name "(.+?)" \(use: (.+)\)', message):
        holders = [name.rpartition(".")[0] for name in _QUOTED.findall(found[2])]
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
    return [name.rpartition(".")[2] for name in _QUOTED.findall(found[1])] if found else []


def _listed(known: Iterable[str]) -> str:
    names = sorted(set(known))
    return f"it has {', '.join(names[:12])}{' …' if len(names) > 12 else ''}" if names else "name one that there is"


def _call_problem(query: QueryText, error: EngineError, at: int, engine: Engine) -> QueryProblem:
    found = _CALL.search(error.message)
    name, kinds = (found[1], _split(found[2])) if found else (error.name, [])
    node = _node_at(engine.tree(query.text), at)
    arguments = [_said(query, child) for child in (node or {}).get("children", ())]
    if len(arguments) != len(kinds):
        arguments = [""] * len(kinds)
    place = query.call(at) or _extent(query, node, at)
    taken = [f"`{said}` ({kind})" if said else _LITERALS.get(kind, kind) for said, kind in zip(arguments, kinds, strict=True)]
    cause = f"`{_OPERATORS.get(name, name)}` does not take {' and '.join(taken) or 'no arguments'}"
    if not name.isidentifier():
        return QueryProblem(*place, cause, _operands_remedy(arguments, kinds))
    overloads = [_split(each) for _, each in _OVERLOAD.findall(error.message)]
    fitting = [each for each in overloads if len(each) == len(kinds)]
    wrong = [n for n, kind in enumerate(kinds) if fitting and all(each[n] != kind for each in fitting) and kind not in _LITERALS]
    if len(fitting) == 1 and wrong:
        return QueryProblem(*place, cause, f"write CAST({arguments[wrong[0]] or '…'} AS {fitting[0][wrong[0]]})")
    shown = ", ".join(f"{name}({', '.join(each)})" for each in overloads[:4])
    return QueryProblem(*place, cause, f"CAST to a type that it takes: {shown}{' …' if len(overloads) > 4 else ''}")


def _operands_remedy(arguments: Sequence[str], kinds: Sequence[str]) -> str:
    """Of an operator: text is cast to what stands beside it, all else to what the writer means."""
    for number, kind in enumerate(kinds):
        other = kinds[1 - number] if len(kinds) == 2 else ""
        if other == "STRING_LITERAL":
            return f"write CAST({arguments[number] or '…'} AS VARCHAR)"
        if kind == "VARCHAR" and other:
            return f"write CAST({arguments[number] or '…'} AS {'INTEGER' if other == 'INTEGER_LITERAL' else other})"
    said = next((argument for argument in arguments if argument), "…")
    return f"write CAST({said} AS …), with a type that goes with the other side"


def _node_at(value: Any, at: int) -> dict[str, Any] | None:
    """The call of the tree that DuckDB means by a place."""
    kinds = ("FUNCTION", "WINDOW", "COMPARISON")
    return next((n for n in nodes_in(value) if n.get("query_location", 0) == at and n.get("class") in kinds), None)


def _said(query: QueryText, node: dict[str, Any]) -> str:
    """A column as it is written; '' for anything else."""
    return query.text[slice(*query.path(node.get("query_location", 0)))] if node.get("class") == "COLUMN_REF" else ""


def _extent(query: QueryText, node: dict[str, Any] | None, at: int) -> Place:
    """An operator with what stands around it, to the parentheses that this opens."""
    places = sorted(places_in(node)) if node else []
    if not places:
        return query.word(at)
    return query.balanced(query.at(places[0]), query.path(places[-1])[1])


def _split(arguments: str) -> list[str]:
    """'INTEGER, DECIMAL(3, 1)' ▸ its two types."""
    found, depth = [""], 0
    for sign in arguments:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return [each.strip() for each in found if each.strip()]


def _by_rule(error: EngineError, query: QueryText, engine: Engine) -> QueryProblem:
    for literal, said in _LITERALS.items():
        error.message = error.message.replace(literal, said)
    for rule in _RULES:
        if found := rule.pattern.search(error.message):
            groups: Mapping[int, str] = dict(enumerate(group or "" for group in found.groups()))
            place = _place_of(query, error, engine, groups.get(0, ""))
            meant = re.findall(r'Did you mean "(.+?)"', error.message)
            hint = did_you_mean(error.name, [name.rpartition(".")[2] for name in meant]) if error.name else ""
            return QueryProblem(*place, rule.cause.format(*groups.values()), hint + rule.remedy.format(*groups.values()))
    return QueryProblem(*_place_of(query, error, engine), _first_line(error), "correct the query at this place")


def _place_of(query: QueryText, error: EngineError, engine: Engine, name: str = "") -> Place:
    """Of a name what is written; of an operator what stands around it.  name: that the message speaks of."""
    if error.position is None:
        return (query.find(name) if name else None) or _named(error.message, query)
    if re.match(r"[\w\"']", query.text[query.at(error.position) :]) or error.kind == "parser":
        return query.path(error.position)
    return _extent(query, _node_at(engine.tree(query.text), error.position), error.position)


def _named(message: str, query: QueryText) -> Place:
    """The first place of a name that the message quotes; else the query's first word."""
    for name in (*_QUOTED.findall(message.partition("\n")[0]), *re.findall(r"\bin (\w+) |SELECT (INTO)", message)):
        name = "".join(name)
        if (place := query.find(name.rpartition(".")[2])) is not None:
            return place
    return query.first_word()


def _first_line(error: EngineError) -> str:
    said = error.message.partition("\n")[0].rstrip(".!").replace('"', "`")
    return said if said[1:2].isupper() else said[:1].lower() + said[1:]
