"""Functions of dates and timestamps whose first argument is a word: a unit of time, or a format.

https://trino.io/docs/current/functions/datetime.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from doubles.athena.arithmetic import in_time
from doubles.athena.casts import coerced, error, not_known, once
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.kinds import BIGINT, DATE, MOMENTS, VARCHAR, ZONED, becomes, common, duck, literal, mismatch, moment, said
from doubles.athena.scope import Value

_MICROSECONDS = {
    "millisecond": 10**3,
    "second": 10**6,
    "minute": 60 * 10**6,
    "hour": 3600 * 10**6,
    "day": 86400 * 10**6,
    "week": 7 * 86400 * 10**6,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = ("day", "week", *_MONTHS)
# MySQL's letters, which Trino takes, in DuckDB's; none that the two read in different ways.
_LETTERS = {
    **{"Y": "%Y", "y": "%y", "m": "%m", "d": "%d", "H": "%H", "i": "%M", "s": "%S", "S": "%S", "f": "%f", "j": "%j", "%": "%%"},
    **{"a": "%a", "b": "%b", "W": "%A", "M": "%B", "T": "%H:%M:%S", "e": "%-d", "c": "%-m", "k": "%-H", "h": "%I", "I": "%I"},
    **{"l": "%-I", "p": "%p", "r": "%I:%M:%S %p", "x": "%G", "v": "%V"},
}
_READ = frozenset("YmdHisST%")


def _word(node: exp.Expr, name: str) -> str:
    if not (isinstance(node, exp.Literal) and node.is_string):
        raise unknown(f"{name} with a first argument that is no text in quotes")
    return node.name


def _unit(node: exp.Expr, name: str) -> str:
    unit = _word(node, name).lower()
    if unit not in _MICROSECONDS and unit not in _MONTHS:
        raise QueryFailed("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid {name} field")
    return unit


def _is_moment(value: Value, name: str) -> Value:
    if value.kind.word not in MOMENTS:
        raise QueryFailed("FUNCTION_NOT_FOUND", f"line 1:1: Unexpected parameters for function {name}: {said(value.kind)}")
    return value


def date_trunc(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    unit, value = _unit(nodes[0], "date_trunc"), _is_moment(given[1], "date_trunc")
    in_time(value.kind, unit in _DAYS)
    return Value(f"CAST(date_trunc('{unit}', {value.sql}) AS {duck(value.kind)})", value.kind)


def date_add(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    unit, value = _unit(nodes[0], "date_add"), _is_moment(given[2], "date_add")
    in_time(value.kind, unit in _DAYS)
    if not becomes(given[1].kind, BIGINT):
        raise mismatch(f"line 1:1: date_add does not take {said(given[1].kind)}")
    if unit in _MONTHS:
        moved = f"to_months(CAST({given[1].sql} * {_MONTHS[unit]} AS INTEGER))"
    elif unit in _DAYS:
        moved = f"to_days(CAST({given[1].sql} * {7 if unit == 'week' else 1} AS INTEGER))"
    else:
        moved = f"to_microseconds({coerced(given[1], BIGINT)} * {_MICROSECONDS[unit]})"
    return Value(f"CAST({value.sql} + {moved} AS {duck(value.kind)})", value.kind)


def date_diff(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    """How many whole units lie between; of months, where none of the two is at the end of one."""
    unit = _unit(nodes[0], "date_diff")
    kind = common(_is_moment(given[1], "date_diff").kind, _is_moment(given[2], "date_diff").kind) or DATE
    in_time(kind, unit in _DAYS)
    left, right = (coerced(value, kind) for value in given[1:])
    if unit in _MICROSECONDS:
        return Value(f"((epoch_us({right}) - epoch_us({left})) // {_MICROSECONDS[unit]})", BIGINT)
    unsure = not_known("how Trino counts months from or to the end of one")

    def months(one: str, other: str) -> str:
        counted = f"date_sub('month', {one}, {other}) // {_MONTHS[unit]}"
        return f"(CASE WHEN day({one}) > 28 OR day({other}) > 28 THEN {unsure} ELSE {counted} END)"

    return Value(once(months, left, right), BIGINT)


def _format(text: str, known: frozenset[str]) -> str:
    def letter(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise unknown(f"%{found[1]} in the format of a date")
        return _LETTERS[found[1]]

    if text.endswith("%") and not text.endswith("%%"):
        raise unknown("a format of a date that ends in %")
    return re.sub("%(.)", letter, text)


def date_format(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    form = _format(_word(nodes[1], "date_format"), frozenset(_LETTERS))
    return Value(f"strftime({_is_moment(given[0], 'date_format').sql}, {literal(form)})", VARCHAR)


def date_parse(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    form = _format(_word(nodes[1], "date_parse"), _READ)
    return Value(f"strptime({coerced(given[0], VARCHAR)}, {literal(form)})", moment("timestamp", 3))


# Joda's letters, of which Trino takes these and others.
_JODA = {
    **{"yyyy": "%Y", "yy": "%y", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I"},
    **{"mm": "%M", "ss": "%S", "SSS": "%g", "a": "%p", "EEE": "%a", "EEEE": "%A", "MMM": "%b", "MMMM": "%B", "DDD": "%j"},
}


def format_datetime(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    form = ""
    for quoted, letters, other in _joda(_word(nodes[1], "format_datetime")):
        form += (quoted + other).replace("%", "%%") or _JODA[letters]
    return Value(f"strftime({_is_moment(given[0], 'format_datetime').sql}, {literal(form)})", VARCHAR)


def _joda(text: str) -> list[tuple[str, str, str]]:
    """The parts of a format: a text in quotes, letters, or another sign."""
    found = [(m[1] or "", m[2] or "", m[4] or "") for m in re.finditer(r"'((?:[^']|'')+)'|(([A-Za-z])\3*)|([^A-Za-z'])", text)]
    strange = [letters for _, letters, _ in found if letters and letters not in _JODA]
    if strange or sum(len(quoted) + 2 * bool(quoted) + len(letters) + len(other) for quoted, letters, other in found) != len(text):
        raise unknown(f"{strange[0] if strange else 'a quote'} in the format of format_datetime")
    return found


def to_iso8601(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    """With as many digits of a second as the type has."""
    value = _is_moment(given[0], "to_iso8601")
    if value.kind == DATE:
        return Value(f"strftime({value.sql}, '%Y-%m-%d')", VARCHAR)
    digits = {0: "", 3: ".%g", 6: ".%f"}.get(value.kind.sizes[0])
    if digits is None:
        raise unknown(f"to_iso8601({said(value.kind)})")
    zone = "Z" if value.kind.word == ZONED else ""
    return Value(f"strftime({value.sql}, '%Y-%m-%dT%H:%M:%S{digits}{zone}')", VARCHAR)


def from_iso8601(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    """Of a text as batches' bounds are written; ISO 8601 has many others."""
    text = coerced(given[0], VARCHAR)
    written = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?(Z|[+]00:00)"
    read = f"CAST(replace(replace(replace({text}, 'T', ' '), 'Z', ''), '+00:00', '') AS TIMESTAMPTZ)"
    other = not_known("from_iso8601_timestamp of a text that is not written as 2024-01-01T00:00:00.000Z")
    sql = f"(CASE WHEN {text} IS NULL THEN NULL WHEN regexp_full_match({text}, '{written}') THEN {read} ELSE {other} END)"
    return Value(sql, moment(ZONED, 3))


def from_iso8601_date(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    text = coerced(given[0], VARCHAR)
    wrong = error("INVALID_FUNCTION_ARGUMENT", literal("the text is no date as 2024-01-01, or not known to this double of Athena"))
    written = f"regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
    return Value(f"(CASE WHEN {text} IS NULL THEN NULL WHEN {written} THEN CAST({text} AS DATE) ELSE {wrong} END)", DATE)


MOMENT_FUNCTIONS = {
    "date_trunc": (2, date_trunc),
    "date_add": (3, date_add),
    "date_diff": (3, date_diff),
    "date_format": (2, date_format),
    "date_parse": (2, date_parse),
    "format_datetime": (2, format_datetime),
    "to_iso8601": (1, to_iso8601),
    "from_iso8601_timestamp": (1, from_iso8601),
    "from_iso8601_date": (1, from_iso8601_date),
}
