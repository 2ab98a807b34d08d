"""The columns of a stream that its API tells: a record describes each field, and what it says becomes the stream's schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared_metadata.errors import DefinitionError
from systems.rest.columns import loaders_of, properties_of
from systems.rest.manifest import CHANGES, Node
from systems.rest.portions import Portion
from systems.rest.reader import Reader
from systems.rest.transformations import below, transformed

KIND = "DynamicSchemaLoader"
# What the format calls a field's type ▸ its JSON schema.
TYPES: Mapping[str, Mapping[str, Any]] = {
    **{name: {"type": ["null", name]} for name in ("string", "boolean", "integer", "number", "array", "object")},
    "date": {"type": ["null", "string"], "format": "date"},
    "timestamp_with_timezone": {"type": ["null", "string"], "format": "date-time"},
    "timestamp_without_timezone": {"type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
    "time_with_timezone": {"type": ["null", "string"], "format": "time", "airbyte_type": "time_with_timezone"},
    "time_without_timezone": {"type": ["null", "string"], "format": "time", "airbyte_type": "time_without_timezone"},
}


def is_asked(stream: Mapping[str, Node]) -> bool:
    """Whether a stream's columns are known only where its API is asked for them."""
    return any(one.get("type") == KIND for one in loaders_of(stream))


def properties_asked(reader: Reader, stream: Mapping[str, Node]) -> dict[str, Any]:
    """The JSON schema of each field, of all its loaders; of a field that several have the first one's. Raises as `page`."""
    found: dict[str, Any] = {}
    for loader in loaders_of(stream):
        asked = loader.get("type") == KIND
        found = {**(_told(reader, stream, loader) if asked else properties_of({"schema_loader": loader})), **found}
    return found


def with_properties(stream: Mapping[str, Node], properties: Mapping[str, Any]) -> dict[str, Node]:
    """The stream with these columns, by whichever way it is read."""
    loader = {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": properties}}
    found = {**stream, "schema_loader": loader}
    return {**found, CHANGES: {**stream[CHANGES], "schema_loader": loader}} if CHANGES in stream else found


def _told(reader: Reader, stream: Mapping[str, Node], loader: Mapping[str, Node]) -> dict[str, Any]:
    asked = {"type": "DeclarativeStream", "name": f"the columns of {stream['name']}", "retriever": loader["retriever"]}
    record = next(reader.records(asked, Portion()), None)
    how, context = loader["schema_type_identifier"], reader.portions.context(loader)
    context_of_how = {**context, "parameters": how.get("$parameters") or context["parameters"]}

    def path(name: str) -> list[str]:
        return [reader.expressions.text(part, context_of_how) for part in how.get(name) or ()]

    described = below(record, path("schema_pointer")) if record else []
    found: dict[str, Any] = {}
    for one in described or ():
        key = below(one, path("key_pointer"))
        if not isinstance(key, str):
            raise _unfit(stream, "a field without a name")
        found[key] = _schema(stream, _mapped(reader, how, _type_said(one, how, path), one, context))
    found = _filtered(reader, loader, found, context)
    for step in loader.get("schema_transformations") or ():
        found = transformed(reader.expressions, step, found, context)
    return found


def _type_said(described: Any, how: Mapping[str, Node], path: Any) -> Any:
    if not how.get("type_pointer"):
        return "string"
    found = below(described, path("type_pointer"))
    return "string" if found is None else found


def _mapped(reader: Reader, how: Mapping[str, Node], said: Any, described: Any, context: Mapping[str, Any]) -> Any:
    """The format's type of what the API calls a field's: of the first rule that fits."""
    for rule in how.get("types_mapping") or ():
        holds = reader.expressions.truth(rule.get("condition") or "True", {**context, "raw_schema": described})
        if rule.get("current_type") == said and holds:
            return rule["target_type"]
    return said


def _schema(stream: Mapping[str, Node], kind: Any) -> dict[str, Any]:
    if isinstance(kind, list) and len(kind) == 2:
        return {"oneOf": [_schema(stream, one) for one in kind]}
    if isinstance(kind, dict) and kind.get("field_type"):
        items = kind.get("items")
        return {**_schema(stream, kind["field_type"]), **({"items": _schema(stream, items)} if items else {})}
    if not isinstance(kind, str) or kind not in TYPES:
        raise _unfit(stream, "a field of a type that `types_mapping` does not have")
    return dict(TYPES[kind])


def _filtered(reader: Reader, loader: Mapping[str, Node], found: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields that the loader's filter takes, which sees each as a record of its own."""

    def taken() -> Iterator[tuple[str, Any]]:
        condition = (loader.get("schema_filter") or {}).get("condition")
        for name, schema in found.items():
            if not condition or reader.expressions.truth(condition, {**context, "record": {name: schema}}):
                yield name, schema

    return dict(taken())


def _unfit(stream: Mapping[str, Node], what: str) -> DefinitionError:
    remedy = "compare what the API tells of its fields with the manifest's schema_type_identifier"
    return DefinitionError(f"the API describes {stream['name']} by {what}", remedy=remedy)
