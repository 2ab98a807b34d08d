"""What makes a query no function of its inputs: the moment, chance, the session, and whatever no FROM clause names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from language.dialects.duckdb.answers import Bound
from language.dialects.duckdb.catalogue import IMPURE
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.plan_casts import NOWHERE
from language.dialects.duckdb.said import Said
from language.dialects.duckdb.syntax_tree import nodes_in
from language.dialects.duckdb.text import Place, QueryText
from language.dialects.duckdb.window_order import unordered
from language.sql.problems import QueryProblem
from language.sql.query import BATCH_BOUNDS
from language.text.diagnostics import did_you_mean

# Table functions that make rows of their arguments alone; DuckDB's catalogue does not tell them from those that read a file.
_OF_ARGUMENTS = frozenset(
    ("unnest", "range", "generate_series", "repeat", "repeat_row", "json_each", "json_tree", "generate_subscripts")
)
# What DuckDB reads as words, where no column has the name.
_SESSION = frozenset(("current_user", "session_user", "current_role", "current_catalog", "user"))
_SESSIONS = frozenset((*_SESSION, "current_setting", "getvariable", "getenv", "version", "current_schema", "current_database"))
_CHANCE = frozenset(("reservoir_quantile", "random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "setseed"))
_MOMENTS = frozenset((
    "now", "today", "current_date", "current_time", "current_timestamp", "current_localtime", "current_localtimestamp", "localtime",
    "localtimestamp", "get_current_time", "get_current_timestamp", "transaction_timestamp",
))  # fmt: skip
_COUNTERS = frozenset(("nextval", "currval", "txid_current", "current_transaction_id", "current_query_id", "current_connection_id"))
_REMEDIES = (
    (_MOMENTS, "write batch_end(), the moment for which the batch is made"),
    (_COUNTERS, "number the rows by row_number() OVER (ORDER BY a key)"),
    (_CHANCE, "take a hash of the key, as in md5(id::VARCHAR)"),
    (_SESSIONS, "write the value itself: a batch may run in any session"),
)
_NAMED = re.compile(r'[\w"]')
_OTHERWISE = "leave it out: it tells of the engine, or of the session, and not of the rows"
# Windows in which the order of the rows is all that counts.
_ORDERED = frozenset(("row_number", "ntile", "lag", "lead", "first", "first_value", "last", "last_value", "nth_value"))


def impurities(query: QueryText, said: Said, bound: Bound, engine: Engine) -> Iterator[QueryProblem]:
    """bound: the query."""
    if said.samples:
        place = query.find("sample") or query.find("tablesample") or query.first_word()
        yield QueryProblem(*place, "a sample is another one each time", "filter by a hash of the key, as in hash(id) % 10 = 0")
    if said.positional:
        place = query.find("positional") or query.first_word()
        yield QueryProblem(*place, "rows of a table have no positions: others would meet each time", "write JOIN … ON a key")
    for call in said.calls:
        in_no_order = call.unordered or (call.unless_columns and unordered(bound.plan))
        if in_no_order and (call.by_rows or call.name in _ORDERED):
            place, cause = (
                query.path(call.at),
                f"`{call.name}` goes by the order of rows, and OVER gives none, so it is another one each time",
            )
            yield QueryProblem(*place, cause, f"write {call.name}(…) OVER (ORDER BY a key)")
    for name, at, arguments in _calls(said, bound):
        impure = name in engine.catalogue.impure_functions or name in IMPURE or name in _CHANCE
        if name == "age" and arguments == 1:
            place = _called(query, name, at, said)
            yield QueryProblem(*place, "`age` of one moment counts from today", "write age(batch_end(), …)")
        elif impure and name not in BATCH_BOUNDS and name != "error":
            place = _called(query, name, at, said)
            cause = f"`{query.text[slice(*place)]}` gives something else each time, so the result is no function of the inputs"
            yield QueryProblem(*place, cause, next((remedy for names, remedy in _REMEDIES if name in names), _OTHERWISE))


def _called(query: QueryText, name: str, at: int, said: Said) -> Place:
    """Where a function is named; of some words the plan has another name, and the place of what stands around them."""
    place = query.path(at) if at < NOWHERE else query.first_word()
    if at < NOWHERE and _NAMED.match(query.text, place[0]):
        return place
    words = (query.path(column.at) for column in said.columns if column.names[-1].lower() in _SESSION)
    return query.find(name) or query.find(f"'{name}'") or next(words, place)


def _calls(said: Said, bound: Bound) -> Iterator[tuple[str, int, int]]:
    """(name, place, number of arguments) of each function of the text, and of the plan: there macros and words are functions."""
    yield from ((call.name, call.at, 0) for call in said.calls if not call.in_from)
    named = [column for column in said.columns if column.names[0].lower() in _SESSION and len(column.names) == 1]
    constants = [node for node in nodes_in(bound.plan) if node.get("expression_class") == "BOUND_CONSTANT"] if named else []
    values = {node.get("query_location", NOWHERE) for node in constants}  # which a plan has instead of what the text says
    yield from ((column.names[0].lower(), column.at, 0) for column in named if bound.plan is None or column.at in values)
    for node in nodes_in(bound.plan) if bound.impure else ():
        if node.get("expression_class") in ("BOUND_FUNCTION", "BOUND_AGGREGATE") and not node.get("is_operator"):
            yield node["name"], node.get("query_location", NOWHERE), len(node.get("children", ()))


def readers(query: QueryText, said: Said, engine: Engine) -> Iterator[QueryProblem]:
    """Functions in FROM that read what no FROM clause names."""
    for call in said.calls:
        if call.in_from and call.name not in _OF_ARGUMENTS:
            place = query.path(call.at)
            name = query.text[slice(*place)]
            if call.name not in engine.catalogue.table_functions:
                remedy = did_you_mean(call.name, _OF_ARGUMENTS) + "read a table, range, generate_series or unnest"
                yield QueryProblem(*place, f"there is no function `{name}` that makes rows", remedy)
                continue
            remedy = "collect it into a warehouse with INSERT INTO, and read that"
            yield QueryProblem(*place, f"`{name}` reads what no FROM clause names", remedy)
