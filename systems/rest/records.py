"""Records of an answer: where they lie in it, which of them count, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from systems.rest.expressions import Expressions
from systems.rest.manifest import HEADER, Node
from systems.rest.transformations import EACH, below, transformed, with_own
from systems.rest.unread import Unread


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
        and not stream.get(HEADER)
        and not selector.get("record_filter")
        and not any(EACH in str(key) or "{" in str(key) for key in path)
    )


@dataclass(frozen=True)
class Shaped:
    """Records of a page.  taken: by the stream's filter, as its transformations leave them.

    seen: with those that it does not take, as far as they were shaped.
    """

    taken: Sequence[Any]
    seen: Sequence[Any]


def shaped(expressions: Expressions, stream: Mapping[str, Node], records: Sequence[Any], context: Mapping[str, Any]) -> Shaped:
    """The records of a page as the stream has them."""
    selector, steps = stream["retriever"]["record_selector"], stream.get("transformations") or []
    record_filter = selector.get("record_filter") or {}
    condition, by_filter = record_filter.get("condition"), with_own(record_filter, context)
    if not condition and not steps:
        return Shaped(records, records)
    changed_first = selector.get("transform_before_filtering")
    taken, seen = list[Any](), list[Any]()
    for record in records:
        takes = not condition or changed_first or expressions.truth(condition, {**by_filter, "record": record})
        for step in steps if takes else ():
            record = transformed(expressions, step, record, context)
        takes = takes and (not condition or not changed_first or expressions.truth(condition, {**by_filter, "record": record}))
        seen.append(record)
        if takes:
            taken.append(record)
    return Shaped(taken, seen)
