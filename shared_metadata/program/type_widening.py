"""Type changes that lose no value, as far as a warehouse makes them of a column that is there. Pure."""

from __future__ import annotations

from functools import cache

from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

# Narrow and wide; of decimals that have more digits before the point. https://iceberg.apache.org/spec/#schema-evolution
PROMOTIONS = (("int", "long"), ("float", "double"), ("decimal", "decimal"))
Widens = tuple[tuple[str, str], ...]


@cache
def widened(former: str, new: str, able: Widens = PROMOTIONS) -> str | None:
    """The type that holds the values of both; None where neither becomes the other.

    able: what the warehouse declares.  A struct has the fields of both; the keys of a map stay what they are.
    """
    if former == new:
        return former
    try:
        before, after = parsed(former), parsed(new)
    except ValueError:  # the rank of an unknown type
        return None
    wide = _wide(before, after, able)
    if wide is None:
        return None
    alike = next((text for text, one in ((new, after), (former, before)) if _ordered(one) == _ordered(wide)), None)
    return alike or str(wide)


def _wide(former: TypeName, new: TypeName, able: Widens) -> TypeName | None:
    if former == new:
        return former
    if former.word == new.word == "list":
        element = _wide(former.parts[0], new.parts[0], able)
        return list_of(element) if element else None
    if former.word == new.word == "map":
        value = _wide(former.parts[1], new.parts[1], able)
        return map_of(former.parts[0], value) if value and former.parts[0] == new.parts[0] else None
    if former.word == new.word == "struct":
        return _wide_struct(former, new, able)
    for narrow, wide in ((former, new), (new, former)):
        fits = not narrow.sizes or not wide.sizes or (narrow.sizes[1] == wide.sizes[1] and narrow.sizes[0] <= wide.sizes[0])
        if (narrow.word, wide.word) in able and fits:
            return wide
    return None


def _wide_struct(former: TypeName, new: TypeName, able: Widens) -> TypeName | None:
    """The wider struct: its fields in the former's order, then new ones. None also where a field's name comes in another case."""
    after, fields = dict(new.named()), dict(former.named())
    for name, part in fields.items():
        if name in after:
            wide = _wide(part, after[name], able)
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
