"""Reads a manifest: references resolved, parameters handed down, types that may be left out filled in.

The format: https://docs.airbyte.com/platform/connector-development/config-based/understanding-the-yaml-file/yaml-overview
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from shared_metadata.errors import DefinitionError

Node = Any  # what YAML gives: mappings, lists and plain values
# Where a component says no type, its place does: https://github.com/airbytehq/airbyte-python-cdk, manifest_component_transformer.py
TYPES: Mapping[str, str] = {
    "AddFields.fields": "AddedFieldDefinition",
    "CompositeErrorHandler.error_handlers": "DefaultErrorHandler",
    "DatetimeBasedCursor.end_datetime": "MinMaxDatetime",
    "DatetimeBasedCursor.end_time_option": "RequestOption",
    "DatetimeBasedCursor.start_datetime": "MinMaxDatetime",
    "DatetimeBasedCursor.start_time_option": "RequestOption",
    "ConfigComponentsResolver.components_mapping": "ComponentMappingDefinition",
    "ConfigComponentsResolver.stream_config": "StreamConfig",
    "CursorPagination.decoder": "JsonDecoder",
    "DeclarativeSource.check": "CheckStream",
    "DeclarativeSource.spec": "Spec",
    "DeclarativeSource.streams": "DeclarativeStream",
    "DeclarativeStream.retriever": "SimpleRetriever",
    "DeclarativeStream.schema_loader": "JsonFileSchemaLoader",
    "DefaultErrorHandler.response_filters": "HttpResponseFilter",
    "DefaultPaginator.page_size_option": "RequestOption",
    "DefaultPaginator.page_token_option": "RequestOption",
    "DefaultPaginator.decoder": "JsonDecoder",
    "DpathExtractor.decoder": "JsonDecoder",
    "DpathExtractor.record_expander": "RecordExpander",
    "DpathFlattenFields.key_transformation": "KeyTransformation",
    "DynamicDeclarativeStream.stream_template": "DeclarativeStream",
    "DynamicSchemaLoader.retriever": "SimpleRetriever",
    "HttpComponentsResolver.components_mapping": "ComponentMappingDefinition",
    "HttpComponentsResolver.retriever": "SimpleRetriever",
    "HttpRequester.error_handler": "DefaultErrorHandler",
    "ListPartitionRouter.request_option": "RequestOption",
    "ParentStreamConfig.request_option": "RequestOption",
    "ParentStreamConfig.stream": "DeclarativeStream",
    "RecordSelector.extractor": "DpathExtractor",
    "RecordSelector.record_filter": "RecordFilter",
    "StateDelegatingStream.full_refresh_stream": "DeclarativeStream",
    "StateDelegatingStream.incremental_stream": "DeclarativeStream",
    "SimpleRetriever.paginator": "NoPagination",
    "SimpleRetriever.record_selector": "RecordSelector",
    "SimpleRetriever.requester": "HttpRequester",
    "SubstreamPartitionRouter.parent_stream_configs": "ParentStreamConfig",
}
NO_COMPONENTS = ("schema", "$parameters", "connection_specification")  # what may have a `type` that is none of the format's
CHANGES, RETENTION = "changes", "retention"  # of a stream that is read by another one where only its changes are
HEADER = "header"  # of a stream whose records are lists, of which the first names the fields of the others
JSON_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
PARAMETERS = "$parameters"


def streams_of(manifest: Mapping[str, Node]) -> dict[str, dict[str, Node]]:
    """The streams of a manifest by name, each by itself. Raises DefinitionError for a document that is no manifest."""
    if not isinstance(manifest.get("streams", manifest.get("dynamic_streams") and []), list):
        raise DefinitionError("the manifest has no list of streams", remedy="see systems/rest/README.md for what a manifest is")
    return {str(stream.get("name")): _delegating(stream) for one in _resolved(manifest, "streams") for stream in _if_any(one)}


def templates_of(manifest: Mapping[str, Node]) -> list[dict[str, Node]]:
    """Templates of streams whose names the connection's options or the API tell, each with how these are found."""
    return [*_resolved(manifest, "dynamic_streams")]


def _if_any(stream: dict[str, Node]) -> list[dict[str, Node]]:
    """The stream, or those that are there under a condition, which is not interpreted and so is what they are called."""
    if stream["type"] != "ConditionalStreams":
        return [stream]
    return [{**one, "type": stream["type"]} for one in stream.get("streams") or ()]


def _resolved(manifest: Mapping[str, Node], what: str) -> Iterator[dict[str, Node]]:
    whole = {"type": "DeclarativeSource", what: manifest.get(what) or [], PARAMETERS: manifest.get(PARAMETERS) or {}}
    yield from _handed_down("", _referred(whole, manifest, ()), {})[what]


def made_whole(stream: Mapping[str, Node], *, outer_first: bool) -> dict[str, Node]:
    """A stream that was made of a template, with what the change of a parameter changes in it.

    outer_first: the parameters of what a component stands in win over its own.
    """
    found: dict[str, Node] = _delegating(_handed_down("", {"type": "DeclarativeStream", **stream}, {}, outer_first))
    return found


def components(node: Node) -> Iterator[dict[str, Node]]:
    """All components at and below a node of a resolved manifest."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str) and node["type"] not in JSON_TYPES:
            yield node
        for key, value in node.items():
            if key not in NO_COMPONENTS:
                yield from components(value)
    elif isinstance(node, list):
        for value in node:
            yield from components(value)


def has_parents(stream: Mapping[str, Node]) -> bool:
    """Whether what a stream reads is told by the records of another one."""
    router = stream["retriever"].get("partition_router") or []
    return any(one.get("parent_stream_configs") for one in (router if isinstance(router, list) else [router]))


def _referred(node: Node, root: Mapping[str, Node], seen: tuple[str, ...]) -> Node:
    """The node with what its references mean; what stands beside a reference wins over what that gives."""
    if isinstance(node, str) and node.startswith("#/"):
        target = _target(node, root)
        return node if target is None else _once(node, target, root, seen)
    if isinstance(node, list):
        return [_referred(one, root, seen) for one in node]
    if not isinstance(node, dict):
        return node
    own = {key: _referred(value, root, seen) for key, value in node.items() if key != "$ref"}
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return own
    target = _target(reference, root)
    if target is None:
        raise DefinitionError(f"the manifest refers to {reference}, which is not there", remedy="write what it should mean")
    found = _once(reference, target, root, seen)
    return {**found, **own} if isinstance(found, dict) else found


def _once(reference: str, target: Node, root: Mapping[str, Node], seen: tuple[str, ...]) -> Node:
    if reference in seen:
        raise DefinitionError(f"{reference} of the manifest refers to itself", remedy="end the circle")
    return _referred(target, root, (*seen, reference))


def _target(reference: str, root: Mapping[str, Node]) -> Node:
    """What lies at a path; a key may hold slashes, so the longest that fits is taken. None where nothing is."""
    node: Node = root
    parts = reference.removeprefix("#/").split("/")
    while parts:
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            further = _target(node["$ref"], root)
            node = {**further, **{k: v for k, v in node.items() if k != "$ref"}} if isinstance(further, dict) else further
        for length in range(len(parts), 0, -1):
            key = "/".join(parts[:length])
            if isinstance(node, dict) and key in node:
                node, parts = node[key], parts[length:]
                break
            if isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node, parts = node[int(key)], parts[length:]
                break
        else:
            return None
    return node


def _handed_down(place: str, component: dict[str, Node], given: Mapping[str, Node], outer_first: bool = False) -> dict[str, Node]:
    """The component with its type, and with the parameters of those around it, which also set fields that it leaves empty."""
    found = dict(component)
    if "type" not in found and "class_name" in found:
        found["type"] = f"Custom{place.rpartition('.')[2]}"
    elif "type" not in found and (kind := TYPES.get(place)):
        found["type"] = kind
    own = found.pop(PARAMETERS, {})
    parameters = {**own, **given} if outer_first else {**given, **own}
    if not found.get("type"):  # no component, but what is nested in it may be one
        typed = (name for name, value in found.items() if isinstance(value, dict) and value.get("type"))
        return {**found, **{name: _handed_down(name, found[name], parameters, outer_first) for name in [*typed]}}
    if not isinstance(found["type"], str) or found["type"] in JSON_TYPES:
        return found
    for name, value in parameters.items():
        found[name] = found.get(name) or copy.deepcopy(value)
    found = {name: _nested(f"{found['type']}.{name}", name, value, parameters, outer_first) for name, value in found.items()}
    return {**found, PARAMETERS: parameters} if parameters else found


def _delegating(node: Node) -> Node:
    """The node with each stream that has another one for its changes in one: that which reads all, with the columns of both."""
    if isinstance(node, list):
        return [*map(_delegating, node)]
    if not isinstance(node, dict):
        return node
    found = {name: value if name in NO_COMPONENTS else _delegating(value) for name, value in node.items()}
    return _both(found) if found.get("type") == "StateDelegatingStream" else found


def _both(found: Mapping[str, Node]) -> dict[str, Node]:
    """The stream that reads all, with the one that reads what has changed; both have the columns of the first."""
    whole, changes = found.get("full_refresh_stream"), found.get("incremental_stream")
    if not isinstance(whole, dict) or not isinstance(changes, dict):
        raise DefinitionError(
            f"the stream {found.get('name')} has not both of full_refresh_stream and incremental_stream", remedy="write both"
        )
    name, told = found.get("name") or whole.get("name"), str(found.get("api_retention_period") or "")
    changes = {**changes, "name": name, "schema_loader": whole.get("schema_loader")}
    return {**whole, "name": name, CHANGES: changes, RETENTION: told}


def _nested(place: str, name: str, value: Node, parameters: Mapping[str, Node], outer_first: bool) -> Node:
    """What a field holds. A parameter that set the field is not handed to what is in it."""
    if name in NO_COMPONENTS:
        return value
    below = {key: given for key, given in parameters.items() if key != name}
    if isinstance(value, dict):
        return _handed_down(place, value, below, outer_first)
    if not isinstance(value, list):
        return value
    return [_handed_down(place, one, below, outer_first) if isinstance(one, dict) else one for one in value]
