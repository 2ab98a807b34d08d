"""The manifest of one stream and one batch: its cursor's window is the batch's, and what belongs to a state is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .failures import Stopped

CURSOR, FILES = "DatetimeBasedCursor", "JsonFileSchemaLoader"
NOT_OF_A_BATCH = ("lookback_window", "is_data_feed", "is_client_side_incremental", "clamping")  # of a cursor with a state of its own
KEPT = ("type", "version", "spec", "api_budget", "max_concurrent_async_job_count")  # of a manifest, beside its streams
NO_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {}}


def manifest_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest, resolved, with the job's stream alone."""
    from airbyte_cdk.sources.declarative.parsers.manifest_component_transformer import ManifestComponentTransformer
    from airbyte_cdk.sources.declarative.parsers.manifest_reference_resolver import ManifestReferenceResolver

    found = ManifestReferenceResolver().preprocess_manifest({"type": "DeclarativeSource", **job["manifest"]})
    found = ManifestComponentTransformer().propagate_types_and_parameters("", found, {})
    name = job["stream"]
    stream = next((one for one in _streams(found) if one.get("name") == name), None)
    if stream is None:
        raise Stopped("stream")
    if stream["type"] == "StateDelegatingStream":
        stream = {**stream["incremental_stream" if job["changes"] else "full_refresh_stream"], "name": name}
    _of_batch(stream, job["schema"], job["start"], job["end"])
    for parent in _parents(stream):
        _of_parent(parent, job["beyond"])
    left = {key: value for key, value in found.items() if key in KEPT}
    return {"version": "1.0.0", **left, "streams": [stream], "check": {"type": "CheckStream", "stream_names": [name]}}


def _of_parent(parent: dict[str, Any], beyond: str) -> None:
    """Parents are read whole: one that did not change has children too."""
    _of_batch(parent, NO_SCHEMA, "", beyond)
    for further in _parents(parent):
        _of_parent(further, beyond)


def _of_batch(stream: dict[str, Any], schema: Mapping[str, Any], start: str, end: str) -> None:
    stream.pop("state_migrations", None)
    loader = stream.get("schema_loader")
    if not loader or (isinstance(loader, dict) and loader.get("type") == FILES):
        stream["schema_loader"] = {"type": "InlineSchemaLoader", "schema": dict(schema)}
    cursor = stream.get("incremental_sync")
    if not isinstance(cursor, dict) or cursor.get("type") != CURSOR:
        return
    for word in NOT_OF_A_BATCH:
        cursor.pop(word, None)
    cursor["end_datetime"] = _moment(end)
    if start:
        cursor["start_datetime"] = _moment(start)
    cursor.pop("cursor_granularity", None)
    if cursor.get("step"):  # two steps share their edge, whichever of their ends an API takes as exclusive
        cursor["cursor_granularity"] = "PT0S"


def _moment(text: str) -> dict[str, str]:
    return {"type": "MinMaxDatetime", "datetime": text, "datetime_format": "%Y-%m-%dT%H:%M:%S.%f%z"}


def _streams(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for stream in manifest.get("streams") or ():
        yield from (stream.get("streams") or ()) if stream.get("type") == "ConditionalStreams" else [stream]


def _parents(node: Any) -> Iterator[dict[str, Any]]:
    """The nearest streams below a node: those by whose records it is read."""
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        if isinstance(value, dict) and value.get("type") == "DeclarativeStream":
            yield value
        else:
            yield from _parents(value)
