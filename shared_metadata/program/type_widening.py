"""Type changes that lose no value: Iceberg's promotions. Pure.

https://iceberg.apache.org/spec/#schema-evolution
"""

from __future__ import annotations

from functools import cache

from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

_WIDER = {("int", "long"), ("float", "double")}


@cache
def widened(former: str, new: str) -> str | None:
    """The type that holds the values of both; None when Iceberg can change neither into the other.

    A struct has the fields of both; the keys of a map stay what they are.
    """
    if former == new:
        return former
    try:
        before, after = parsed(former), parsed(new)
    except ValueError:  # the rank of an unknown type
        return None
    wide = _wide(before, after)
    if wide is None:
        return None
    alike = next((text for text, one in ((new, after), (former, before)) if _ordered(one) == _ordered(wide)), None)
    return alike or str(wide)


def _wide(former: TypeName, new: TypeName) -> TypeName | None:
    if former == new:
        return former
    if former.word == new.word == "list":
        element = _wide(former.parts[0], new.parts[0])
        return list_of(element) if element else None
    if former.word == new.word == "map":
        value = _wide(former.parts[1], new.parts[1])
        return map_of(former.parts[0], value) if value and former.parts[0] == new.parts[0] else None
    if former.word == new.word == "struct":
        return _wide_struct(former, new)
    for narrow, wide in ((former, new), (new, former)):
        if (narrow.word, wide.word) in _WIDER:
            return wide
        if narrow.sizes and wide.sizes and narrow.sizes[1] == wide.sizes[1] and narrow.sizes[0] <= wide.sizes[0]:
            return wide
    return None


def _wide_struct(former: TypeName, new: TypeName) -> TypeName | None:
    """The wider struct: its fields in the former's order, then new ones. None also where a field's name comes in another case."""
    after, fields = dict(new.named()), dict(former.named())
    for name, part in fields.items():
        if name in after:
            wide = _wide(part, after[name])
            if wide is None:
                return None
            fields[name] = wide
    try:
        return struct_of((*fields.items(), *((name, part) for name, part in after.items() if name not in fields)))
    except ValueError:
        return None


def _ordered(one: TypeName) -> TypeName:
    """The same type for structs whose fields only stand in another order."""
    found = one.over(_ordered)
    return struct_of(tuple(sorted(found.named()))) if one.word == "struct" else found
