"""Masks of columns: of a whole one, or of fields of a struct, each named by its path. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared_metadata.program import Mask, Masks
from shared_metadata.program.type_names import TypeName, parsed, spelled, struct_of

Path = tuple[str, ...]  # a column, then a field of it, a field of that …
STRING = TypeName("string")


def paths(masks: Masks, before: Path = ()) -> Iterator[tuple[Path, Mask]]:
    """Each column and field that is masked by itself, and how."""
    for name, how in masks.items():
        if isinstance(how, Mapping):
            yield from paths(how, (*before, name))
        else:
            yield (*before, name), how


def by_name(found: Mapping[Path, Mask]) -> Masks:
    """Masks by name, from paths of which none leads through another."""
    masks: dict[str, Any] = {}
    for path, how in found.items():
        inner = masks
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = how
    return masks


def only(how: Mask, masks: Masks) -> Masks:
    """The masks of this kind."""
    return by_name({path: each for path, each in paths(masks) if each == how})


def masked_at(masked: Mask | Masks | str, fields: Path) -> Mask | Masks | str:
    """The mask of a field, or of fields of it, given its column's mask; '' for none."""
    for name in fields:
        if not isinstance(masked, Mapping):
            return masked
        masked = masked.get(name, "")
    return masked


def masked_type(kind: str, masked: Mask | Masks) -> str:
    """A column's type in the warehouse: hashes are strings, and dropped fields are gone."""
    return str(_masked(parsed(kind), masked, STRING)) if isinstance(masked, Mapping) else str(STRING)


def without_dropped(kind: str, masked: Mask | Masks) -> str:
    """The type of a column's values before they are hashed."""
    return str(_masked(parsed(kind), masked, None)) if isinstance(masked, Mapping) else kind


def said(masked: Mask | Masks | str) -> str:
    """The mask in words: 'hash' for a whole column, 'email hash, address.street hash' for fields; '' for none."""
    if not isinstance(masked, Mapping):
        return str(masked)
    return ", ".join(f"{spelled(path)} {how}" for path, how in paths(masked))


def _masked(kind: TypeName, masked: Mask | Masks, hashed: TypeName | None) -> TypeName:
    """Applies a mask to a type. Raises ValueError where fields of a type that is no struct are masked, or no field is left."""
    if not isinstance(masked, Mapping):
        return hashed or kind
    left = ((name, part) for name, part in kind.named() if masked.get(name) != Mask.DROP)
    fields = tuple((name, _masked(part, masked[name], hashed) if name in masked else part) for name, part in left)
    return struct_of(fields)
