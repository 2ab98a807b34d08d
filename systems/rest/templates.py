"""Streams that are made of a template: a record of the API, or of the connection's options, says what stands at places of it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from systems.rest.manifest import PARAMETERS, Node, made_whole
from systems.rest.portions import Portion, SeenPortion, Span
from systems.rest.reader import Reader
from systems.rest.transformations import VALUE_TYPES, below

BY_API, BY_OPTIONS, BY_MANIFEST = "HttpComponentsResolver", "ConfigComponentsResolver", "ParametrizedComponentsResolver"
DEEP = "**"
TEXTS = (["name"], [DEEP, "name"], ["stream", "name"], ["requester", "path"])  # ends of paths: 1.10 there is no number
EXPRESSION = ("{{", "{%", "{#")  # what Jinja's begin with


@dataclass(frozen=True)
class Told:
    """What one stream is made of.  values: as its expressions see them.  portion: of the API's records in which it was found."""

    values: Any
    portion: Portion = field(default_factory=Portion)


def told(reader: Reader, template: Mapping[str, Node], span: Span) -> Iterator[Told]:
    """What each stream of a template is made of, in order. Raises as `page` where the API is asked.

    span: for which the API's records are asked, where these have parents.
    """
    resolver = template["components_resolver"]
    if resolver["type"] == BY_API:
        asked = {"type": "DeclarativeStream", "name": f"the streams of {template['name']}", "retriever": resolver["retriever"]}
        for portion in reader.portions.of(asked, span):
            yield from reader.each(asked, portion, partial(Told, portion=portion))
    elif resolver["type"] == BY_OPTIONS:
        configs = resolver["stream_config"]
        each = [[*enumerate(_configured(reader, one))] for one in (configs if isinstance(configs, list) else [configs])]
        yield from (Told(_together(parts)) for parts in itertools.product(*each))
    else:
        yield from map(Told, resolver["stream_parameters"]["list_of_parameters_for_stream"])


def _configured(reader: Reader, config: Mapping[str, Node]) -> list[Any]:
    context = reader.portions.context(config)
    found = below(context["config"], [reader.expressions.text(part, context) for part in config["configs_pointer"]])
    given = found if isinstance(found, list) else [] if found is None else [found]
    return [*given, *(config.get("default_values") or ())]


def _together(parts: Sequence[tuple[int, Any]]) -> dict[str, Any]:
    """One of each of several lists; what is no object stands beside them with its number."""
    found: dict[str, Any] = {}
    for at, (number, value) in enumerate(parts):
        if isinstance(value, dict):
            found |= value
        else:
            found.setdefault(f"source_config_{at}", (number, value))
    return found


def made(reader: Reader, template: Mapping[str, Node], of: Told) -> dict[str, Node]:
    """The stream that a template and what is told make."""
    resolver, stream = template["components_resolver"], copy.deepcopy(template["stream_template"])
    for mapping, path, value in _mapped(reader, template, of):
        anew = mapping.get("create_or_update") and resolver["type"] != BY_API
        if not _replaced(stream, path, value) and value and anew:
            _added(stream, path, value)
    found = made_whole(stream, outer_first=template.get("use_parent_parameters", True))
    return {**found, "name": "" if found.get("name") is None else str(found["name"])}


def _mapped(reader: Reader, template: Mapping[str, Node], of: Told) -> Iterator[tuple[Mapping[str, Node], list[str], Any]]:
    """The mappings that hold for what is told, each with its path and the value that it sets there."""
    resolver = template["components_resolver"]
    seen = {
        "components_values": of.values,
        "stream_slice": SeenPortion(of.portion),
        "stream_template_config": template["stream_template"],
    }
    for mapping in resolver.get("components_mapping") or ():
        parameters = mapping.get(PARAMETERS) or resolver.get(PARAMETERS) or {}
        context = {**reader.portions.context(mapping), "parameters": parameters, **seen}
        if mapping.get("condition") and not reader.expressions.truth(mapping["condition"], context):
            continue
        path = [str(reader.expressions.value(part, context)) for part in mapping["field_path"]]
        kind = "string" if path[-2:] in TEXTS else str(mapping.get("value_type"))
        value = reader.expressions.value(mapping["value"], context, VALUE_TYPES.get(kind))
        if path[-2:] not in TEXTS and (resolver["type"] == BY_MANIFEST or (resolver["type"] == BY_OPTIONS and kind != "string")):
            value = _read(value)
        yield mapping, path, value


def why_refused(reader: Reader, template: Mapping[str, Node], of: Told, stream: Mapping[str, Node]) -> str:
    """Why a stream is not read though it can be made; '' for one that is.

    The API's words go to no other host, and none of them is an expression, not even one that the template has elsewhere: it would
    be evaluated with the credentials in sight.
    """
    if template["components_resolver"]["type"] != BY_API:
        return ""
    if any(_has_expression(value) for _, _, value in _mapped(reader, template, of)):
        return "the API tells an expression"
    foreign = reader.hosts_of(stream) - reader.hosts_of(template) - reader.hosts
    return f"the API tells the host {min(foreign)}, which neither the manifest nor the overlay's `hosts` name" if foreign else ""


def _has_expression(node: Any) -> bool:
    if isinstance(node, str):
        return any(sign in node for sign in EXPRESSION)
    return isinstance(node, dict | list) and any(map(_has_expression, (*node, *node.values()) if isinstance(node, dict) else node))


def _read(value: Any) -> Any:
    """What a text says in YAML; the text where it says nothing in it."""
    if not isinstance(value, str):
        return value
    import yaml  # what makes no streams does without

    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _replaced(stream: dict[str, Node], path: Sequence[str], value: Any) -> bool:
    """Sets what is at each place that a path leads to, whose parts are patterns, and `**` any number of them."""
    places = [*_places(stream, path)]
    for holder, key in places:
        holder[key] = copy.deepcopy(value)
    return bool(places)


def _places(node: Node, path: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    first, *rest = path
    if first == DEEP and rest:
        yield from _places(node, rest)
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if first == DEEP or fnmatchcase(str(key), first):
            if not rest:
                yield node, key
            else:
                yield from _places(value, path if first == DEEP else rest)


def _added(node: Any, path: Sequence[str], value: Any) -> None:
    """Sets what is at a path, with what is missing on the way: a list where a number follows, else an object."""
    for key, following in itertools.zip_longest(path, path[1:]):
        at: Any = key
        if isinstance(node, list):
            at = int(key)
            node += [None] * (at + 1 - len(node))
        if following is None:
            node[at] = copy.deepcopy(value)
        elif (node[at] if isinstance(node, list) else node.get(at)) is None:
            node[at] = [] if following.isdecimal() else {}
        node = node[at]
