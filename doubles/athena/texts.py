"""Functions of regular expressions and of paths into JSON, as far as both engines read these alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlglot import exp

from doubles.athena.casts import coerced, not_known, once
from doubles.athena.errors import unknown
from doubles.athena.kinds import BIGINT, BOOLEAN, VARCHAR, literal
from doubles.athena.scope import Value
from shared_metadata.program.type_names import TypeName as Kind

Special = Callable[[Sequence[Value], Sequence[exp.Expr]], Value]
# What a regular expression may consist of, so that Trino's and DuckDB's engines mean the same; and no `(?`.
_KNOWN = r"(?:[A-Za-z0-9 _,;:@%/=<>'\"#~!&-]|\\[.+*?()|\[\]{}^$\\/dwsDWS-]|\[\^?[A-Za-z0-9 _.,-]+\]|[.^+*?|()]|\{\d+(?:,\d*)?\})*\$?"
_PATTERN = re.compile(rf"(?!.*\(\?){_KNOWN}")
_PATH = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\d+\])*")
JSON = Kind("json")


def _written(node: exp.Expr) -> str | None:
    return node.name if isinstance(node, exp.Literal) and node.is_string else None


def _of_pattern(given: Sequence[Value], nodes: Sequence[exp.Expr], build: Callable[[str, str], str]) -> str:
    """SQL of a text and a pattern. An end of the text is also before its last line's end, in Java."""
    text, found = coerced(given[0], VARCHAR), _written(nodes[1])
    if found is not None:
        if not _PATTERN.fullmatch(found):
            raise unknown("such a regular expression")
        ended = found[:-1] + r"(?:\n?\z)" if found.endswith("$") and not found.endswith("\\$") else found
        return once(lambda one: build(one, literal(ended)), text)

    def sql(one: str, pattern: str) -> str:
        alike = f"regexp_full_match({pattern}, {literal(_KNOWN)}) AND NOT contains({pattern}, '(?') AND NOT ends_with({pattern}, '$')"
        other = f"CASE WHEN {pattern} IS NOT NULL THEN {not_known('such a regular expression')} END"
        return f"(CASE WHEN {alike} THEN {build(one, pattern)} ELSE {other} END)"

    return once(sql, text, coerced(given[1], VARCHAR))


def _like(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    return Value(_of_pattern(given, nodes, lambda text, pattern: f"regexp_matches({text}, {pattern})"), BOOLEAN)


def _extract(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    group = "0"
    if len(nodes) == 3:
        if not (isinstance(nodes[2], exp.Literal) and nodes[2].is_int):
            raise unknown("a group of a regular expression that is no number")
        group = nodes[2].name

    def sql(text: str, pattern: str) -> str:
        return f"(CASE WHEN regexp_matches({text}, {pattern}) THEN regexp_extract({text}, {pattern}, {group}) END)"

    return Value(_of_pattern(given, nodes, sql), VARCHAR)


def _extract_all(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    sql = _of_pattern(given, nodes, lambda text, pattern: f"regexp_extract_all({text}, {pattern})")
    return Value(sql, Kind("array", (VARCHAR,)))


def _count(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    return Value(_of_pattern(given, nodes, lambda text, pattern: f"len(regexp_extract_all({text}, {pattern}))"), BIGINT)


def _split(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    sql = _of_pattern(given, nodes, lambda text, pattern: f"regexp_split_to_array({text}, {pattern})")
    return Value(sql, Kind("array", (VARCHAR,)))


def _replace(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    """$1 is a group, which DuckDB writes \\1."""
    put = "''"
    if len(nodes) == 3:
        found = _written(nodes[2])
        if found is not None and ("\\" in found or re.search(r"\$(?!\d)", found)):
            raise unknown("such a replacement of a regular expression")
        put = literal(re.sub(r"\$(\d)", r"\\\1", found)) if found is not None else _plain(coerced(given[2], VARCHAR))
    return Value(_of_pattern(given, nodes, lambda text, pattern: f"regexp_replace({text}, {pattern}, {put}, 'g')"), VARCHAR)


def _plain(sql: str) -> str:
    unsure = not_known("a replacement with groups that is not written out")
    return once(lambda one: f"CASE WHEN regexp_matches({one}, '[$\\\\]') THEN {unsure} ELSE {one} END", sql)


def _path(node: exp.Expr) -> str:
    found = _written(node)
    if found is None or not _PATH.fullmatch(found):
        raise unknown("such a path into JSON")
    return literal(found)


def _json(value: Value) -> Callable[[Callable[[str], str]], str]:
    """What is made of a JSON text; NULL of one that is none."""

    def of(build: Callable[[str], str]) -> str:
        if value.kind == JSON:
            return once(build, value.sql)
        return once(lambda one: f"(CASE WHEN json_valid({one}) THEN {build(one)} END)", coerced(value, VARCHAR))

    return of


def _scalar(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    path = _path(nodes[1])

    def sql(one: str) -> str:
        nested = f"json_type({one}, {path}) IN ('OBJECT', 'ARRAY')"
        return f"CASE WHEN {nested} THEN NULL ELSE json_extract_string({one}, {path}) END"

    return Value(_json(given[0])(sql), VARCHAR)


def _extracted(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    path = _path(nodes[1])
    return Value(_json(given[0])(lambda one: f"json_extract({one}, {path})"), JSON)


TEXTS: dict[tuple[str, int | None], Special] = {
    ("regexp_like", 2): _like,
    ("regexp_extract", 2): _extract,
    ("regexp_extract", 3): _extract,
    ("regexp_extract_all", 2): _extract_all,
    ("regexp_count", 2): _count,
    ("regexp_split", 2): _split,
    ("regexp_replace", 2): _replace,
    ("regexp_replace", 3): _replace,
    ("json_extract_scalar", 2): _scalar,
    ("json_extract", 2): _extracted,
}
