"""Transformations of records, as the format has them: each makes a record of a record."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from systems.rest.expressions import Expressions
from systems.rest.manifest import PARAMETERS, Node

VALUE_TYPES: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (float, int), "boolean": (bool,)}
EACH = "*"
_WORDS = re.compile(r"[A-Z]+[a-z]*|[a-z]+|\d+|(?P<between>[^a-zA-Z\d]+)")
Seen = Mapping[str, Any]
Made = Callable[[Expressions, Mapping[str, Node], Any, Seen], Any]


def transformed(expressions: Expressions, step: Mapping[str, Node], record: Any, context: Seen) -> Any:
    """What a step of a stream's transformations makes of a record."""
    return INTERPRETED[step["type"]](expressions, step, record, {**with_own(step, context), "record": record})


def with_own(component: Mapping[str, Node], context: Seen) -> Seen:
    """What the expressions of a component see that has parameters of its own."""
    own = component.get(PARAMETERS)
    return {**context, "parameters": own} if own else context


def below(node: Any, path: Sequence[Any]) -> Any:
    """What lies at a path; None where nothing does."""
    for key in path:
        if isinstance(node, list) and str(key).lstrip("-").isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict):
            node = node.get(key)
        else:
            return None
    return node


def put(target: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Sets what lies at a path, with the objects on the way to it."""
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = value


def _add_fields(expressions: Expressions, step: Mapping[str, Node], record: Any, seen: Seen) -> Any:
    if step.get("condition") and not expressions.truth(step["condition"], seen):
        return record
    for added in step["fields"]:
        value = expressions.value(added["value"], seen, VALUE_TYPES.get(str(added.get("value_type"))), "")
        put(record, [expressions.text(part, seen) for part in added["path"]], value)
    return record


def _remove_fields(_: Expressions, step: Mapping[str, Node], record: Any, __: Seen) -> Any:
    for pointer in step["field_pointers"]:
        holder = below(record, pointer[:-1])
        if isinstance(holder, dict):
            holder.pop(pointer[-1], None)
    return record


def _flatten_at(expressions: Expressions, step: Mapping[str, Node], record: Any, seen: Seen) -> Any:
    """Lifts an object's fields into the record; where one of them is there already, nothing changes."""
    path = [expressions.text(part, seen) for part in step["field_path"]]
    inner = next((holder[key] for holder, key in _places(record, path)), None)
    if not isinstance(inner, dict):
        return record
    named = step.get("key_transformation") or {}
    before, after = (expressions.text(named.get(edge) or "", seen) for edge in ("prefix", "suffix"))
    inner = {f"{before}{key}{after}": value for key, value in inner.items()}
    if step.get("replace_record") and inner:
        return inner
    if inner.keys() & record.keys():
        return record
    for holder, key in [*_places(record, path)] if step.get("delete_origin_value") else ():
        del holder[key]
    return {**record, **inner}


def _places(node: Any, path: Sequence[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects that hold what a path of objects' keys leads to, whose '*' means every key, and the key of each."""
    if not isinstance(node, dict) or not path:
        return
    for key in [*node] if path[0] == EACH else [path[0]] if path[0] in node else []:
        if len(path) == 1:
            yield node, key
        else:
            yield from _places(node[key], path[1:])


def _flatten(_: Expressions, step: Mapping[str, Node], record: Any, __: Seen) -> Any:
    """Lifts whatever is in objects and lists. A name that is there already, and any after a list, is written behind its holder's."""
    found, left, behind = dict[str, Any](), [("_", record)], False
    while left:
        name, node = left.pop()
        if isinstance(node, dict):
            left += [(f"{name}.{key}" if behind or key in found else key, inner) for key, inner in node.items()]
        elif isinstance(node, list) and step.get("flatten_lists", True):
            behind = behind or bool(node)
            left += [(f"{name}.{at}", one) for at, one in enumerate(node)]
        else:
            found[name] = node
    return found


def _keys_to_lower(_: Expressions, __: Mapping[str, Node], record: Any, ___: Seen) -> Any:
    return {key.lower(): value for key, value in record.items()}


def _keys_replace(expressions: Expressions, step: Mapping[str, Node], record: Any, seen: Seen) -> Any:
    old, new = (expressions.text(step[name], seen) for name in ("old", "new"))
    return _renamed(record, lambda key: key.replace(old, new))


def _keys_to_snake_case(_: Expressions, __: Mapping[str, Node], record: Any, ___: Seen) -> Any:
    return _renamed(record, snake_case)


def _renamed(node: Any, name: Callable[[str], str]) -> Any:
    """An object with other keys, those of objects within it too, but of none in a list."""
    return {name(key): _renamed(value, name) for key, value in node.items()} if isinstance(node, dict) else node


def snake_case(key: str) -> str:
    """fooBar ▸ foo_bar, foo2 ▸ foo_2. A letter with a mark loses it; what is no letter of ASCII then stands between words."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", key) if not unicodedata.combining(one))
    words = ["" if found.group("between") else found.group() for found in _WORDS.finditer(plain)]
    words = [*words[:1], *filter(None, words[1:-1]), *words[-1:]] if len(words) > 2 else words
    return "_".join(word.lower() for word in ([""] if words and words[0].isdigit() else []) + words)


INTERPRETED: Mapping[str, Made] = {
    "AddFields": _add_fields,
    "RemoveFields": _remove_fields,
    "DpathFlattenFields": _flatten_at,
    "FlattenFields": _flatten,
    "KeysToLower": _keys_to_lower,
    "KeysReplace": _keys_replace,
    "KeysToSnakeCase": _keys_to_snake_case,
}
