"""Records of an answer: where they lie in it, which of them count, and what of them is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from systems.rest.expressions import Expressions
from systems.rest.manifest import Node
from systems.rest.unread import Unread

VALUE_TYPES: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (float, int), "boolean": (bool,)}
EACH = "*"


def below(node: Any, path: Iterable[Any]) -> Any:
    """What lies at a path; None where nothing does."""
    for key in path:
        if isinstance(node, list) and str(key).lstrip("-").isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict):
            node = node.get(key)
        else:
            return None
    return node


def extracted(document: Any, path: Sequence[str]) -> Sequence[Any]:
    """The records at a path, whose '*' means every element: a list's elements, or the one object."""
    found = [document]
    for key in path:
        deeper: list[Any] = []
        for one in found:
            if key == EACH:
                deeper += one if isinstance(one, list) else list(one.values()) if isinstance(one, dict) else []
            elif (inner := below(one, [key])) is not None:
                deeper.append(inner)
        found = deeper
    if EACH in path or not found:
        return found
    return found[0] if isinstance(found[0], list | Unread) else [found[0]] if found[0] else []


def is_plain(stream: Mapping[str, Node]) -> bool:
    """Whether the records are collected as they are in the answer, so that its bytes need no Python object for each of them."""
    selector = stream["retriever"]["record_selector"]
    path = selector["extractor"].get("field_path") or []
    return (
        not stream.get("transformations")
        and not selector.get("record_filter")
        and not any(EACH in str(key) or "{" in str(key) for key in path)
    )


def shaped(expressions: Expressions, stream: Mapping[str, Node], records: Iterable[Any], context: Mapping[str, Any]) -> Iterator[Any]:
    """The records that the stream's filter takes, as its transformations leave them."""
    selector = stream["retriever"]["record_selector"]
    condition = (selector.get("record_filter") or {}).get("condition")
    changed_first = selector.get("transform_before_filtering")
    for record in records:
        if condition and not changed_first and not expressions.truth(condition, {**context, "record": record}):
            continue
        for step in stream.get("transformations") or []:
            record = _transformed(expressions, step, record, context)
        if not condition or not changed_first or expressions.truth(condition, {**context, "record": record}):
            yield record


def _transformed(expressions: Expressions, step: Mapping[str, Node], record: Any, context: Mapping[str, Any]) -> Any:
    seen = {**context, "record": record}
    if step["type"] == "AddFields":
        if step.get("condition") and not expressions.truth(step["condition"], seen):
            return record
        for added in step["fields"]:
            value = expressions.value(added["value"], seen, VALUE_TYPES.get(str(added.get("value_type"))), "")
            put(record, [expressions.text(part, seen) for part in added["path"]], value)
        return record
    if step["type"] == "RemoveFields":
        for pointer in step["field_pointers"]:
            holder = below(record, pointer[:-1])
            if isinstance(holder, dict):
                holder.pop(pointer[-1], None)
        return record
    if step["type"] == "DpathFlattenFields":
        inner = below(record, step["field_path"])
        if not isinstance(inner, dict):
            return record
        if step.get("delete_origin_value"):
            record.pop(step["field_path"][0], None)
        return inner if step.get("replace_record") else {**record, **inner}
    return {key.lower(): value for key, value in record.items()}  # KeysToLower


def put(target: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Sets what lies at a path, with the objects on the way to it."""
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = value
