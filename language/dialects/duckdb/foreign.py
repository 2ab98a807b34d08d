"""What a call of another engine's function is in DuckDB's SQL: whoever comes from there writes it first."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel

from language.sql.engines import ENGINES, TRIPPED

MOST = 100  # characters of a translation
# Formats of moments in which each part is called as in PostgreSQL's.
_SNOWFLAKE = re.compile(r"to_varchar\s*(\(.*,\s*'(?:YYYY|YY|MM|DD|HH24|HH12|MI|SS|[-/:., _])+'\s*\))\s*", re.IGNORECASE | re.DOTALL)
NUMBERED = "row_number() OVER (ORDER BY a key) - 1"  # of rows in an order: by one of a constant they have other numbers each time
MEANINGS = 2  # of one name in several engines, that are told


def in_duckdb(call: str, can_stand: Callable[[str], bool]) -> str | None:
    """What to write for a call that DuckDB does not have and other engines have; None where sqlglot knows no translation of it.

    can_stand: whether a text can stand in the call's place. What differs between engines is told with their names.
    """
    found: dict[str, list[str]] = {}
    for dialect, engine in ENGINES.items():
        moment = _SNOWFLAKE.fullmatch(call) if dialect == "snowflake" else None
        written = _translated(f"TO_CHAR{moment[1]}", "postgres") if moment else _translated(call, dialect)
        if written is not None and len(written) <= MOST and (written == NUMBERED or can_stand(written)):
            found.setdefault(written, []).append(engine)
    name, most = call.partition("(")[0].strip(), sorted(found.items(), key=lambda meant: -len(meant[1]))[:MEANINGS]
    return ", or ".join(f"{written} for {' and '.join(engines[:2])}'s {name}" for written, engines in most) or None


def _translated(call: str, dialect: str) -> str | None:
    """None where the function is none of the dialect's own, which writes it again as it was read, or means nothing exactly there."""
    try:
        tree = sqlglot.parse_one(f"SELECT {call}", read=dialect)
        name = call.partition("(")[0].strip()
        own = tree.sql(dialect=dialect, unsupported_level=ErrorLevel.IGNORE).removeprefix("SELECT ")
        if own.partition("(")[0].upper() != name.upper() or isinstance(tree.expressions[0], exp.Anonymous):
            return None
        meant = tree.transform(_batch_bound).transform(_strict)
        written = meant.sql(dialect="duckdb", normalize_functions=False, unsupported_level=ErrorLevel.RAISE)
    except TRIPPED:
        return None
    written = written.removeprefix("SELECT ")
    if re.search(r"\bORDER BY \d", written):
        return NUMBERED
    if "%%" in written and "%%" not in call:  # a format of DuckDB's own, which the engine would not read as one
        return None
    return written if written.upper() != call.upper() else None


def _strict(node: exp.Expr) -> exp.Expr:
    """SQL Server's CONVERT fails where it has no value, and its texts have a length, which DuckDB passes over."""
    if isinstance(node, exp.Convert) and not node.args.get("safe") and node.args.get("style") is None:
        return exp.cast(node.args["expression"], _without_length(node.this))
    return _without_length(node) if isinstance(node, exp.DataType) else node


def _without_length(kind: exp.DataType) -> exp.DataType:
    return exp.DataType(this=exp.DType.USERDEFINED, kind="VARCHAR") if kind.is_type(*exp.DataType.TEXT_TYPES) else kind


def _batch_bound(node: exp.Expr) -> exp.Expr:
    """Now, as a batch has it."""
    if isinstance(node, exp.CurrentTimestamp | exp.CurrentDatetime):
        return exp.Anonymous(this="batch_end")
    return exp.cast(exp.Anonymous(this="batch_end"), "DATE") if isinstance(node, exp.CurrentDate) else node
