"""DuckDB's messages in our words: by the rule for each, with the place where the message gives none."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from language.dialects.duckdb.answers import EngineError
from language.dialects.duckdb.engine import Engine
from language.dialects.duckdb.message_rules import FIELDS, LITERALS, RULES, Rule
from language.dialects.duckdb.syntax_tree import nodes_in, places_in
from language.dialects.duckdb.text import Place, QueryText
from language.sql.misplaced import is_date_part
from language.sql.problems import QueryProblem
from language.text.diagnostics import did_you_mean

QUOTED = re.compile(r'"([^"]+)"')


def rule_of(error: EngineError) -> tuple[Rule, tuple[str, ...]] | None:
    """The rule for a message, with what the pattern's groups hold; None where there is none."""
    for rule in RULES:
        if (found := re.search(rule.pattern, error.message)) and (error.position is None or not rule.unplaced):
            return rule, tuple(LITERALS.get(group or "", group or "") for group in found.groups())
    return None


def worded(error: EngineError, query: QueryText, engine: Engine) -> QueryProblem:
    """What DuckDB says by the rule for it; else as DuckDB says it."""
    ruled = rule_of(error)
    if ruled is None:
        return QueryProblem(*_place_of(query, error, engine), first_line(error), "correct the query at this place")
    rule, groups = ruled
    unplaced = dataclasses.replace(error, position=None) if rule.at_words else error
    place = _place_of(query, unplaced, engine, [*rule.words, *groups[:1]])
    if rule.aliased:
        place = _by_alias(query, place, groups[0]) or place
    meant = re.findall(r'Did you mean "(.+?)"', error.message)
    if rule.remedy == FIELDS:
        meant = QUOTED.findall(groups[1])
    named = error.name if error.name.isidentifier() else groups[0] if rule.remedy == FIELDS else ""
    hint = did_you_mean(named, [name.rpartition(".")[2] for name in meant]) if named else ""
    remedy = rule.remedy.format(*(group.replace('"', "") for group in groups))
    return QueryProblem(*place, rule.cause.format(*groups), hint + remedy)


def of_select(query: QueryText, error: EngineError, known: Sequence[str]) -> QueryProblem | None:
    """What is said of a column of the SELECT itself: one that a * is to leave out, or that is read before it is made."""
    message = error.message
    if found := re.search(r'Column "(.+?)" in (EXCLUDE|REPLACE|RENAME) list not found', message):
        cause = f"{found[2]} names `{found[1]}`, which is no column behind this *"
        return QueryProblem(
            *_named_place(query, error, found[1]), cause, did_you_mean(found[1], known) + "name a column that there is"
        )
    if found := re.search(r'[Cc]olumn "(.+?)" referenced that exists in the SELECT clause - but', message):
        place = _named_place(query, error, found[1])
        part = is_date_part(query.text, *place)
        cause = f"`{found[1]}` is made by this SELECT, and stands here before it is"
        return QueryProblem(*place, cause, f"write a part as a text: '{found[1].lower()}'" if part else "write what makes it")
    return None


def _named_place(query: QueryText, error: EngineError, name: str) -> Place:
    return query.path(error.position) if error.position is not None else query.find(name) or named(error.message, query)


def _place_of(query: QueryText, error: EngineError, engine: Engine, names: Sequence[str] = ()) -> Place:
    """What is written of a name; what stands of an operator around it.  names: that the message speaks of."""
    if error.position is None:
        written = [spelled for name in names for spelled in (name, f"'{name}'")]
        places = [place for name in written if (place := query.find(name)) is not None]
        return places[0] if places else named(error.message, query)
    if re.match(r"[\w\"']", query.text[query.at(error.position) :]) or error.kind == "parser":
        return query.path(error.position)
    return extent(query, node_at(engine.tree(query.text), error.position), error.position)


def _by_alias(query: QueryText, made: Place, clause: str) -> Place | None:
    """Where a clause names the column of the SELECT that is made at a place before it."""
    words = [query.text[slice(*place)].lower() for place in query.tokens]
    clauses = [number for number, word in enumerate(words) if word == clause.lower() and query.tokens[number][0] >= made[1]]
    depth = 0
    for number, (place, word) in enumerate(zip(query.tokens, words, strict=True)):
        if place[0] < made[0]:
            continue
        depth += (word == "(") - (word == ")")
        if depth <= 0 and word in (",", "from"):
            alias = words[number - 1]
            found = (at for at in range(clauses[0], len(words)) if words[at] == alias) if clauses else iter(())
            return next((query.tokens[at] for at in found), None)
    return None


def named(message: str, query: QueryText) -> Place:
    """The first place of a name that the message quotes; else the query's first word."""
    for name in (*QUOTED.findall(message.partition("\n")[0]), *re.findall(r"\bin (\w+) |SELECT (INTO)", message)):
        name = "".join(name)
        for written in (name.rpartition(".")[2], f"'{name}'"):
            if (place := query.find(written)) is not None:
                return place
    return query.first_word()


def first_line(error: EngineError) -> str:
    said = error.message.partition("\n")[0].rstrip(".!").replace('"', "`")
    for literal, plain in LITERALS.items():
        said = said.replace(literal, plain)
    return said if said[1:2].isupper() else said[:1].lower() + said[1:]


def node_at(value: Any, at: int) -> dict[str, Any] | None:
    """The call, or operator, of the tree that DuckDB means by a place."""
    kinds = ("FUNCTION", "WINDOW", "COMPARISON", "CAST", "CONJUNCTION", "OPERATOR", "BETWEEN")
    return next((n for n in nodes_in(value) if n.get("query_location", 0) == at and n.get("class") in kinds), None)


def extent(query: QueryText, node: dict[str, Any] | None, at: int) -> Place:
    """An operator with what stands around it, to the parentheses that this opens."""
    places = sorted(places_in(node["child"] if node["class"] == "CAST" else node)) if node else []
    if not places:
        return query.word(at)
    return query.balanced(query.at(places[0]), query.path(places[-1])[1])
