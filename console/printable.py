"""Makes texts safe to show: names come from sources, and must neither control a terminal nor pretend to be a line of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar, cast

T = TypeVar("T")


def printable(value: T) -> T:
    """The value with every text on one line; control characters, and those that turn the writing's direction, are written out.

    It takes texts, dataclasses, mappings and sequences. For tables and sentences: JSON escapes by itself, and keeps names as they
    are.
    """
    return cast(T, _printable(value))


def _printable(value: Any) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field.name for field in dataclasses.fields(value) if field.init)
        return dataclasses.replace(value, **{name: _printable(getattr(value, name)) for name in fields})
    if isinstance(value, Mapping):
        return {_printable(name): _printable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return type(value)(map(_printable, value))
    return value
