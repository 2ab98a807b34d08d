"""Texts that are another date or time each day they are read: 'today' and its like, where one is wanted.

https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES
"""

from __future__ import annotations

import re

from language.dialects.postgres import catalogue

_WORD = re.compile(r"(?<![a-z])(now|today|tomorrow|yesterday)(?![a-z])", re.IGNORECASE)
_TIMES = frozenset({"date", "timestamp", "timestamptz", "time", "timetz"})


def moves(text: str, kind: str) -> bool:
    """Whether a text in quotes that is read as a type, its name in pg_type, is another value tomorrow."""
    return is_moment(text) and holds_time(kind)


def is_moment(text: str) -> bool:
    """Whether a text has a word that would be another value tomorrow, were it read as a time."""
    return _WORD.search(text) is not None


def holds_time(kind: str) -> bool:
    """Whether it is a date or a time, or an array or a range of such."""
    found = catalogue.types().get(kind)
    if found is None or kind in _TIMES:
        return kind in _TIMES
    part = found.element if found.category == "A" else found.subtype
    return bool(part) and holds_time(part)
