"""CAST and TRY_CAST as Trino does them, in DuckDB's SQL; a text that DuckDB reads more generously is looked at before.

https://trino.io/docs/current/functions/conversion.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from doubles.athena.errors import unknown
from doubles.athena.kinds import (
    INEXACT,
    WHOLE,
    ZONED,
    becomes,
    duck,
    field_names,
    literal,
    mismatch,
    of_zone,
    said,
    zone_of,
)
from doubles.athena.scope import Value
from shared_metadata.program.type_names import TypeName as Kind

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
# What a text must look like for each type, so that Trino and DuckDB read it as the same.
_READ = {
    **dict.fromkeys(WHOLE, r"[+-]?[0-9]+"),
    "decimal": _NUMBER,
    **dict.fromkeys(INEXACT, rf"{_NUMBER}([eE][+-]?[0-9]+)?|NaN|[+-]?Infinity"),
    "boolean": "(?i:t|true|1|f|false|0)",
    "date": _DAY,
    "timestamp": rf"{_DAY}( {_TIME})?",
    ZONED: rf"{_DAY}( {_TIME})?( UTC|Z|[+]00:00)?",
    "uuid": "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
# A text that may be a value to Trino, though it looks otherwise: neither a value nor a mistake that is known to be one.
_MAYBE = {
    **dict.fromkeys(WHOLE, "(?!)"),
    "decimal": r".*[0-9][eE].*",
    **dict.fromkeys(INEXACT, r"\s.*|.*\s|.*[0-9][dDfFxXpP].*"),
    "boolean": "(?!)",
    "uuid": "(?!)",
}
_SECONDS = {0: "", 3: ".%g", 6: ".%f"}
# Macros: one that fails the query, and one that TRY takes, which refuses what may give something else each time.
FAILS, FAILS_TRIED = "athena_fails", "athena_fails_tried"
MACROS = f"""
CREATE MACRO {FAILS}(message) AS error(message);
CREATE MACRO {FAILS_TRIED}(message) AS CASE WHEN CAST('no number: ' || message AS INTEGER) = 0 THEN NULL END;
"""
_SHORT = 60
# Doubles between these are written by both without an exponent.
_PLAIN_FROM, _PLAIN_TO = "1e-3", "1e7"


def once(build: Callable[..., str], *sqls: str) -> str:
    """SQL in which each of these stands several times, though each is written once where it is long."""
    if all(len(sql) <= _SHORT for sql in sqls):
        return build(*sqls)
    fields = ", ".join(f"'a{number}': {sql}" for number, sql in enumerate(sqls))
    return f"list_transform([{{{fields}}}], lambda v: {build(*(f'v.a{number}' for number in range(len(sqls))))})[1]"


def error(code: str, message: str) -> str:
    """A call that fails the query.  message: SQL of a text."""
    return f"{FAILS}({literal(code + ': ')} || {message})"


def not_known(what: str) -> str:
    return error("NOT_SUPPORTED", literal(f"{what} is not known to this double of Athena"))


def coerced(value: Value, kind: Kind) -> str:
    """The value as one of a type that it becomes by itself."""
    if value.kind == kind or duck(value.kind) == duck(kind):
        return value.sql
    if value.kind.word == kind.word == "row":
        return once(partial(_by_fields, value.kind, kind), value.sql)
    return f"CAST({value.sql} AS {duck(kind)})"


def _by_fields(had: Kind, kind: Kind, sql: str) -> str:
    """A row as one with other names: DuckDB would look for fields of the same."""
    fields = zip(field_names(had), had.parts, field_names(kind), kind.parts, strict=True)
    read = ((Value(f"struct_extract({sql}, {literal(name)})", one), to, part) for name, one, to, part in fields)
    parts = (f"{literal(to)}: {coerced(value, part)}" for value, to, part in read)
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE {{{', '.join(parts)}}} END"


def cast(value: Value, kind: Kind, *, soft: bool = False) -> Value:
    """soft: NULL where there is no such value, as TRY_CAST does."""
    if zone := zone_of(value.kind):
        return _in_zone(value, kind, zone, soft)
    source = value.kind
    if source == kind or (source.word == kind.word == "varchar" and not kind.sizes):
        return Value(value.sql, kind)
    if source.word == "unknown":
        return Value(f"CAST({value.sql} AS {duck(kind)})", kind)
    if "json" in (source.word, kind.word):
        return Value(f"to_json({value.sql})" if kind.word == "json" else once(partial(_of_json, kind, soft), value.sql), kind)
    if kind.word == "varchar":
        return Value(_text(value, kind), kind)
    if source.word == "varchar":
        literally = re.fullmatch("'[^']*'", value.sql)
        build = partial(_of_text, kind=kind, soft=soft)
        return Value(build(value.sql) if literally else once(build, value.sql), kind)
    if source.parts or kind.parts:
        if not becomes(source, kind):
            raise unknown(f"a CAST of {said(source)} to {said(kind)}")
        return Value(coerced(value, kind), kind)
    return Value(_plain(value, kind, soft), kind)


def _in_zone(value: Value, kind: Kind, zone: str, soft: bool) -> Value:
    """A moment that is shown in another zone: a day, a time and a text are what clocks show there."""
    if kind.word == ZONED:
        return Value(_plain(Value(value.sql, Kind(ZONED, sizes=value.kind.sizes)), kind, soft), of_zone(kind, zone))
    shown = Value(f"timezone({literal(zone)}, {value.sql})", Kind("timestamp", sizes=value.kind.sizes))
    found = cast(shown, kind, soft=soft)
    return Value(f"({found.sql} || {literal(' ' + zone)})", kind) if kind.word == "varchar" else found


def _of_json(kind: Kind, soft: bool, sql: str) -> str:
    word = "TRY_CAST" if soft else "CAST"
    if kind.parts:
        return f"CASE WHEN json_type({sql}) = 'NULL' THEN NULL ELSE {word}({sql} AS {duck(kind)}) END"
    wrong = "NULL" if soft else error("INVALID_CAST_ARGUMENT", literal(f"Cannot cast to {said(kind)}"))
    nested = f"json_type({sql}) IN ('OBJECT', 'ARRAY')"
    return f"CASE WHEN {nested} THEN {wrong} ELSE {word}(json_extract_string({sql}, '$') AS {duck(kind)}) END"


def _plain(value: Value, kind: Kind, soft: bool) -> str:
    source, sql = value.kind.word, value.sql
    word = "TRY_CAST" if soft else "CAST"
    numbers = (*WHOLE, "decimal", *INEXACT)
    if source in INEXACT and kind.word in WHOLE:  # Trino rounds a half away from zero, DuckDB to the even number
        sql = f"round({sql})"
    elif source in INEXACT and kind.word == "decimal":  # by all its digits, as Java's BigDecimal
        sql = once(_all_digits, sql)
    elif {source, kind.word} <= {"boolean", *numbers}:
        pass
    elif kind.word in ("timestamp", ZONED) and source in ("date", "timestamp", ZONED):
        return rounded(f"{word}({sql} AS {duck(kind)})", value.kind.sizes or (0,), kind)
    elif kind.word == "date" and source in ("timestamp", ZONED):
        pass
    else:
        raise mismatch(f"line 1:1: Cannot cast {said(value.kind)} to {said(kind)}")
    return f"{word}({sql} AS {duck(kind)})"


def _all_digits(sql: str) -> str:
    """The digits of a double as a text; of what is no number a text that is none either."""
    return f"CASE WHEN isfinite({sql}) THEN printf('%.60f', CAST({sql} AS DOUBLE)) WHEN {sql} IS NOT NULL THEN 'no number' END"


def rounded(sql: str, had: tuple[int, ...], kind: Kind) -> str:
    """A moment with no more digits of a second than its type has; Trino rounds it."""
    digits = kind.sizes[0]
    if had[0] <= digits:
        return sql
    if digits not in (0, 3):
        raise unknown(f"a moment with {digits} digits of a second")
    unit, half = ("second", "500 MILLISECOND") if digits == 0 else ("millisecond", "500 MICROSECOND")
    return f"date_trunc('{unit}', {sql} + INTERVAL {half})"


def _of_text(sql: str, kind: Kind, soft: bool) -> str:
    if kind.word == "varbinary":
        return f"encode({sql})"
    if kind.word not in _READ:
        raise unknown(f"a CAST of a text to {said(kind)}")
    word = "TRY_CAST" if soft else "CAST"
    read = f"{word}({sql} AS {duck(kind)})"
    if kind.word in ("timestamp", ZONED):
        source = f"regexp_replace({sql}, '( UTC|Z|[+]00:00)$', '')" if kind.word == ZONED else sql
        read = rounded(f"{word}({source} AS {duck(kind)})", (_digits(sql),), kind)
    wrong = error("INVALID_CAST_ARGUMENT", f"'Cannot cast ''' || {sql} || ''' to {said(kind)}'")
    other = "NULL" if soft else wrong
    if kind.word not in _MAYBE:
        other = not_known(f"how Trino reads a text as {said(kind)} that is not written as usual")
    elif _MAYBE[kind.word] != "(?!)":
        unsure = not_known(f"how Trino reads such a text as {said(kind)}")
        other = f"CASE WHEN regexp_full_match({sql}, {literal(_MAYBE[kind.word])}) THEN {unsure} ELSE {other} END"
    if re.fullmatch(r"'[^']*'", sql) and re.fullmatch(_READ[kind.word], sql[1:-1]):
        return read
    fits = f"regexp_full_match({sql}, {literal(_READ[kind.word])})"
    return f"CASE WHEN {sql} IS NULL THEN NULL WHEN {fits} THEN {read} ELSE {other} END"


def _digits(sql: str) -> int:
    """Of a second: those that are written, of a text in quotes."""
    found = re.fullmatch(r"'[^'.]*(?:\.([0-9]*)[^'.]*)?'", sql)
    return len(found[1] or "") if found else 6


def _text(value: Value, kind: Kind) -> str:
    """A text of a value, cut to the length of its type where that is a text's."""
    source, sql = value.kind, value.sql
    if source.word == "varchar":
        return f"left({sql}, {kind.sizes[0]})"
    if kind.sizes:
        raise unknown(f"a CAST of {said(source)} to {said(kind)}")
    if source.word in ("boolean", "decimal", "date", "uuid", *WHOLE):
        return f"CAST({sql} AS VARCHAR)"
    if source.word in INEXACT:
        return once(_of_inexact, sql)
    if source.word in ("timestamp", ZONED) and source.sizes[0] in _SECONDS:
        zone = " UTC" if source.word == ZONED else ""
        return f"strftime({sql}, '%Y-%m-%d %H:%M:%S{_SECONDS[source.sizes[0]]}{zone}')"
    if source.word in ("varbinary", "array", "map", "row"):
        raise mismatch(f"line 1:1: Cannot cast {said(source)} to varchar")
    raise unknown(f"a CAST of {said(source)} to {said(kind)}")


def _of_inexact(sql: str) -> str:
    usual = f"{sql} = 0 OR (abs({sql}) >= {_PLAIN_FROM} AND abs({sql}) < {_PLAIN_TO})"
    return (
        f"CASE WHEN {sql} IS NULL THEN NULL WHEN isnan({sql}) THEN 'NaN' "
        f"WHEN isinf({sql}) THEN CASE WHEN {sql} > 0 THEN 'Infinity' ELSE '-Infinity' END "
        f"WHEN {usual} THEN CAST({sql} AS VARCHAR) ELSE {not_known('the text of so large or small a double')} END"
    )
