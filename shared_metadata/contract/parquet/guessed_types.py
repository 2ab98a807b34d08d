"""Tells types by a sample of texts: the narrowest that holds each of them as it is written, and text where there is a doubt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared_metadata.contract.parquet.duckdb_session import identifier, literal

if TYPE_CHECKING:
    import duckdb

SAMPLE_ROWS = 10_000
TEXT = "string"
# Digits with a zero before them are no numbers, but codes; nor are more of them than a number keeps.
_FORMS = {
    "boolean": "true|false|True|False|TRUE|FALSE",
    "long": r"-?(0|[1-9][0-9]{0,17})",
    "double": r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "timestamptz": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)",
    "timestamp": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?",
}


def guessed(connection: duckdb.DuckDBPyConnection, rows: str, columns: Sequence[str]) -> dict[str, str]:
    """Column ▸ type, over texts; without those that are null in all rows.  rows: a relation."""
    if not columns:
        return {}
    tests = [f"bool_and(regexp_full_match({identifier(name)}, {literal(form)}))" for name in columns for form in _FORMS.values()]
    sampled = f"(SELECT * FROM {rows} LIMIT {SAMPLE_ROWS})"
    answer = connection.execute(f"SELECT {', '.join(tests)} FROM {sampled}").fetchone() or ()
    found = {}
    for at, name in enumerate(columns):
        fits = answer[at * len(_FORMS) : (at + 1) * len(_FORMS)]
        if None not in fits:
            found[name] = next((kind for kind, fit in zip(_FORMS, fits, strict=True) if fit), TEXT)
    return found


def of_both(one: str, other: str) -> str:
    """The type of what is now the one, now the other."""
    if one == other:
        return one
    return "double" if {one, other} == {"long", "double"} else TEXT
