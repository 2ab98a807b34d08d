"""The types of columns by a JSON schema: whole types where it says them, JSON text where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.program.type_names import TypeName, list_of, map_of, struct_of

TYPES: Mapping[str, str] = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}
FORMATS: Mapping[str, str] = {"date-time": "timestamptz", "date": "date", "int32": "int"}
MOMENT, DAY, EPOCH = "date-time", "date", "epoch"  # the source's types whose values can be a cursor's
CURSOR_TYPES = (MOMENT, DAY, EPOCH)
DEEPEST = 8  # what lies deeper is JSON text
TEXT = TypeName("string")


def word_of(node: Any) -> str:
    """'string', or its format; the words of several types, in order; 'object' and 'array'."""
    kinds = node.get("type", "object") if isinstance(node, dict) else "object"
    words = sorted({str(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)} - {"null"})
    form = str(node.get("format") or "") if isinstance(node, dict) else ""
    if form in (*CURSOR_TYPES, "int32") and words == ["integer" if form == "int32" else "string"]:
        return form
    return "number" if words == ["integer", "number"] else "|".join(words)


def type_of_word(word: str) -> str:
    """The type of a column by a schema's word; 'string' for what is kept as text."""
    return FORMATS.get(word) or ("long" if word == EPOCH else TYPES.get(word, "string"))


def type_of(node: Any) -> str:
    """The type of a column by its schema: `{type: array, items: {type: integer}}` ▸ 'list<long>'."""
    return str(_type(node, 0))


def _type(node: Any, depth: int) -> TypeName:
    word = word_of(node)
    if word not in ("object", "array") or not isinstance(node, dict) or depth >= DEEPEST:
        return TypeName(type_of_word(word))
    if word == "array":
        items = node.get("items")
        return list_of(_type(items, depth + 1)) if isinstance(items, dict) and items.get("type") else TEXT
    fields, others = node.get("properties"), node.get("additionalProperties")
    if isinstance(fields, dict) and fields:
        try:
            return struct_of(tuple((str(name), _type(one, depth + 1)) for name, one in fields.items()))
        except ValueError:  # names that differ by case only, which no struct has
            return TEXT
    return map_of(TEXT, _type(others, depth + 1)) if isinstance(others, dict) and others.get("type") else TEXT
