"""What of the format is interpreted. A stream that uses anything else is refused by its name before it is ever read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from systems.rest import decoding, moments, transformations
from systems.rest.manifest import RETENTION, Node, components

INTERPRETED = frozenset(
    {
        *(
            "DeclarativeStream",
            "SimpleRetriever",
            "HttpRequester",
            "RequestOption",
            "RequestPath",
            "InlineSchemaLoader",
        ),
        *("RequestBodyJsonObject", "RequestBodyGraphQL", "RequestBodyUrlEncodedForm", "RequestBodyPlainText"),
        *(
            "RecordSelector",
            "DpathExtractor",
            "RecordFilter",
            "AddedFieldDefinition",
            "KeyTransformation",
        ),
        *transformations.INTERPRETED,
        *("NoPagination", "DefaultPaginator", "CursorPagination", "PageIncrement", "OffsetIncrement"),
        *("DatetimeBasedCursor", "MinMaxDatetime", "ListPartitionRouter", "SubstreamPartitionRouter", "ParentStreamConfig"),
        *("NoAuth", "ApiKeyAuthenticator", "BearerAuthenticator", "BasicHttpAuthenticator", "OAuthAuthenticator", "Bearer", "ApiKey"),
        "JwtAuthenticator",
        *(
            "SessionTokenAuthenticator",
            "SelectiveAuthenticator",
            "DefaultErrorHandler",
            "CompositeErrorHandler",
            "HttpResponseFilter",
        ),
        *("ConstantBackoffStrategy", "ExponentialBackoffStrategy", "WaitTimeFromHeader", "WaitUntilTimeFromHeader"),
        *("DynamicSchemaLoader", "SchemaTypeIdentifier", "TypesMap", "ComplexFieldType"),
        *("HttpComponentsResolver", "ConfigComponentsResolver", "ParametrizedComponentsResolver"),
        *("ComponentMappingDefinition", "StreamConfig", "StreamParametersDefinition"),
        *decoding.KINDS,
        *decoding.WRAPPERS,
    }
)


def not_interpreted(stream: Mapping[str, Any]) -> tuple[str, ...]:
    """The words of the format that a stream uses and that are not interpreted, in order; none where it can be read."""
    return tuple(sorted(set(_unknown(stream))))


def _unknown(stream: Mapping[str, Any]) -> Iterator[str]:
    for found in components(_in_use(stream)):
        if found.get("class_name"):
            yield f"code {found['class_name']}"
        elif found["type"][:1].isupper() and found["type"] not in INTERPRETED:
            yield found["type"]


def _in_use(stream: Mapping[str, Any]) -> Node:
    """A stream without what nothing is made of: migrations of a state, and the columns of parents."""
    return {key: _without_unused(value) for key, value in stream.items() if key != "state_migrations"}


def _without_unused(node: Node) -> Node:
    if isinstance(node, list):
        return [*map(_without_unused, node)]
    if not isinstance(node, dict):
        return node
    return {key: _without_unused(value) for key, value in node.items() if key not in ("state_migrations", "schema_loader")}


def why_no_retention(stream: Mapping[str, Node]) -> str:
    """Why it is not known for how long its API tells changes; '' where it is."""
    told = stream.get(RETENTION) or ""
    try:
        return "" if not told or moments.duration(told) else "api_retention_period"
    except ValueError:
        return f"api_retention_period {told}"
