"""Reads dataclasses from plain values, as JSON gives them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
Reader = Callable[[Any], Any]


def from_plain(kind: type[T], value: Any) -> T:
    """Reads `value`, as JSON gave it, as the annotated type `kind`: dataclasses, enums, tuples, mappings and scalars."""
    made: T = _reader(kind)(value)  # type: ignore[arg-type]
    return made


def fields_of(value: Any) -> dict[str, Any]:
    """A dataclass's fields, whether it has slots or not."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def hook_of(kind: type[Any], several: str) -> Callable[[dict[str, Any]], Any]:
    """A hook for JSON's decoder that makes a `kind` of each object which has all fields that it needs, and a list as `several`.

    Names of columns and of options are keys as well, but not of lists.
    """
    needed = {field.name for field in dataclasses.fields(kind) if field.default is field.default_factory is dataclasses.MISSING}
    return lambda values: from_plain(kind, values) if values.keys() >= needed and isinstance(values[several], list) else values


@cache
def _reader(kind: Any) -> Reader:
    """The reader of a type's values, made once."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _fields_reader(kind)
    if origin is tuple:
        item = _reader(arguments[0])
        return tuple if item is _as_it_is else lambda value: tuple(map(item, value))
    if origin in (Mapping, dict) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        item = _reader(arguments[1])
        return lambda value: {key: item(one) for key, one in value.items()}
    if origin is typing.Union or origin is types.UnionType:
        kinds = [a for a in arguments if a is not type(None)]
        item = _reader(kinds[0]) if len(kinds) == 1 else _as_it_is
        return lambda value: None if value is None else item(value)
    return kind if isinstance(kind, type) and issubclass(kind, StrEnum) else _as_it_is


def _fields_reader(kind: Any) -> Reader:
    """The reader of a dataclass; unknown fields are left out, as later versions may write them."""
    from shared_metadata.program.plan import Mask, Masks  # the annotation Masks, wherever it stands, names itself

    hints = typing.get_type_hints(kind, localns={"Mask": Mask, "Masks": Masks})
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}
    read = {name: reader for name, reader in readers.items() if reader is not _as_it_is}

    def make(value: Mapping[str, Any]) -> Any:
        known = {name: item for name, item in value.items() if name in readers}
        known.update((name, reader(known[name])) for name, reader in read.items() if name in known)
        return kind(**known)

    return make


def _as_it_is(value: Any) -> Any:
    return value
