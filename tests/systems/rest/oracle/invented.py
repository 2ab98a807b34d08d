"""A configuration that fits what a manifest asks for, and an answer that fits a stream and its parents; both are invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from systems.rest import moments
from systems.rest.expressions import Expressions
from systems.rest.manifest import components

DEEPEST = 3
NO_EXPRESSION = {"parameters": {}, "stream_slice": {}, "stream_partition": {}, "stream_interval": {}}


def config_of(node: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: _value(name, kind) for name, kind in (node.get("properties") or {}).items() if isinstance(kind, dict)}
    return {name: value for name, value in found.items() if value is not None}


def _value(name: str, node: Mapping[str, Any]) -> Any:
    kind, low = _kind(node), name.lower()
    if node.get("oneOf"):
        return config_of(node["oneOf"][0])
    if "const" in node:
        return node["const"]
    if low in ("end_date", "enddate") or low.endswith("end_date"):
        return None
    if "date" in low and kind in ("string", None) and "format" not in low:
        return _date(node)
    if node.get("default") not in ("", None):
        return node["default"]
    if node.get("enum"):
        return node["enum"][0]
    return _plain(name, low, kind, node)


def _plain(name: str, low: str, kind: str | None, node: Mapping[str, Any]) -> Any:
    if kind == "object":
        return config_of(node)
    if kind == "array":
        items = node.get("items") or {}
        return [config_of(items) if items.get("type") == "object" else _value("item", items)]
    if kind in ("integer", "number"):
        return max(int(node.get("minimum") or 1), 1)
    if kind == "boolean":
        return False
    examples = node.get("examples")
    if examples and not (isinstance(examples, list) and "<" in str(examples[0])):
        return examples[0] if isinstance(examples, list) else "x"
    if any(word in low for word in ("url", "domain", "host")):
        return "https://example.com" if "url" in low else "example.com"
    return f"{name}-value"


def _date(node: Mapping[str, Any]) -> str:
    pattern = node.get("pattern") or ""
    if "T" not in pattern and node.get("format") != "date-time":
        return "2026-11-24"
    fraction = ".[0-9]" in pattern and "?" not in pattern.split(".[0-9]")[1][:8]
    return "2026-11-24T00:00:00.000Z" if fraction else "2026-11-24T00:00:00Z"


def _kind(node: Mapping[str, Any]) -> str | None:
    kinds = node.get("type")
    return next((kind for kind in kinds if kind != "null"), None) if isinstance(kinds, list) else kinds


def answer_for(stream: Mapping[str, Any], config: Mapping[str, Any], now: datetime) -> Any:
    """One answer to whatever is asked for a stream: its records, its parents', and tokens; None where these have not one shape."""
    document: dict[str, Any] = {"access_token": "tok", "token": "tok", "expires_in": 3600, "token_type": "bearer", "isLast": True}
    streams = [one for one in components(stream) if one["type"] == "DeclarativeStream"]
    roots = []
    for one in streams:
        record, path = _record(one, stream, now), _path(one, config, now)
        node: Any = [record]
        for key in reversed(path):
            node = node if key == "*" and isinstance(node, list) else {key: node}
        if isinstance(node, dict):
            _merge(document, node)
        else:
            roots.append(node)
    for one in components(stream):
        if one["type"] == "SessionTokenAuthenticator":
            token: Any = "session"
            for key in reversed(one["session_token_path"]):
                token = {key: token}
            _merge(document, token)
        if one["type"] == "OAuthAuthenticator" and one.get("access_token_name"):
            document.setdefault(str(one["access_token_name"]), "tok")
    if roots:
        return roots[-1] if len(roots) == len(streams) else None
    return document


def _record(one: Mapping[str, Any], stream: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    loader = one.get("schema_loader") or {}
    record = {"id": 1, "name": "n", **_of_schema(loader.get("schema") or {}, 0)}
    sync = one.get("incremental_sync") or {}
    field = str(sync.get("cursor_field") or "")
    if field and "{{" not in field:
        form = str((sync.get("cursor_datetime_formats") or [sync["datetime_format"]])[0])
        holder, *_ = [record]
        *outer, last = field.split(".")
        for key in outer:
            holder = holder.setdefault(key, {})
        if isinstance(holder, dict):
            holder[last] = moments.write_as(now - timedelta(hours=20), form)
    for config in components(stream):
        if config["type"] == "ParentStreamConfig" and "{{" not in config["parent_key"]:
            record.setdefault(config["parent_key"].split(".")[0].split("/")[0], 5)
    return record


def _of_schema(schema: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    found: dict[str, Any] = {}
    for name, node in (properties or {}).items():
        if not isinstance(node, dict):
            continue
        kind = _kind(node)
        if "const" in node:
            found[name] = node["const"]
        elif kind == "object":
            found[name] = _of_schema(node, depth + 1) if depth < DEEPEST else {}
        elif kind == "array":
            found[name] = []
        elif kind in ("integer", "number"):
            found[name] = 7
        elif kind == "boolean":
            found[name] = True
        else:
            found[name] = {"date-time": "2026-11-24T12:00:00Z", "date": "2026-11-24"}.get(str(node.get("format")), "text")
    return found


def _path(one: Mapping[str, Any], config: Mapping[str, Any], now: datetime) -> Iterator[str] | list[str]:
    extractor = one["retriever"]["record_selector"]["extractor"]
    seen = {"config": config, **NO_EXPRESSION, "parameters": extractor.get("$parameters") or {}}
    return [Expressions(now).text(part, seen) for part in extractor.get("field_path") or []]


def _merge(target: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target.setdefault(key, value)
