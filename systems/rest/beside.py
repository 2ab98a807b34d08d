"""What a manifest has elsewhere: in files of older packages its options and schemas, in parameters the names of cursors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared_metadata.errors import DefinitionError
from systems.rest.expressions import Expressions
from systems.rest.manifest import CHANGES, PARAMETERS, Node

SPECS = ("spec.json", "spec.yaml")
SCHEMAS = "schemas"
SHARED = f"{SCHEMAS}/shared"  # what schemas in files refer to
BESIDE = (*SPECS, f"{SCHEMAS}/**/*.json")
DEEPEST = 8  # references within references; what lies deeper is left untyped
IN_FILES = "JsonFileSchemaLoader"


def specification(manifest: Mapping[str, Node], folder: Path) -> Mapping[str, Any]:
    """The JSON schema of the options: the manifest's own, or else that of a file; {} where there is neither."""
    own = (manifest.get("spec") or {}).get("connection_specification")
    file = next((folder / name for name in SPECS if (folder / name).is_file()), None)
    if own or file is None:
        return own or {}
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))  # JSON is YAML
        said = found.get("connectionSpecification") or found.get("connection_specification") or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError):
        raise DefinitionError("it is no specification of options", place=str(file), remedy="compare it with the format") from None
    return said if isinstance(said, dict) else {}


def with_schemas(stream: dict[str, Node], folder: Path) -> dict[str, Node]:
    """The stream with the schemas that lie in files, where its own are said to, or it has none."""
    said = stream.get("schema_loader") or {"type": IN_FILES}
    found = [_inline(one, stream, folder) for one in said] if isinstance(said, list) else _inline(said, stream, folder)
    if found is said:
        return stream
    changes = {CHANGES: {**stream[CHANGES], "schema_loader": found}} if CHANGES in stream else {}
    return {**stream, "schema_loader": found, **changes}


def _inline(loader: Node, stream: Mapping[str, Node], folder: Path) -> Node:
    """A loader with the schema of the file that it names; as it is, where there is none."""
    if not isinstance(loader, dict) or loader.get("type") != IN_FILES:
        return loader
    parameters = {"name": stream.get("name"), **(loader.get(PARAMETERS) or stream.get(PARAMETERS) or {})}
    said = str(loader.get("file_path") or "schemas/{{ parameters['name'] }}.json")
    path = Expressions(datetime.now(UTC)).text(said, {"config": {}, "parameters": parameters})
    schema = _json(folder, path[path.find(f"{SCHEMAS}/") :] if f"{SCHEMAS}/" in path else path)
    return {"type": "InlineSchemaLoader", "schema": _referred(schema, schema, folder, 0)} if isinstance(schema, dict) else loader


def with_cursor(stream: dict[str, Node]) -> dict[str, Node]:
    """The stream with the name of its cursor's field, where the parameters of its component make it."""
    sync: Node = stream.get("incremental_sync")
    said = str(sync.get("cursor_field") or "") if isinstance(sync, dict) else ""
    if not isinstance(sync, dict) or "{{" not in said or "config" in said:
        return stream
    name = Expressions(datetime.now(UTC)).text(said, {"config": {}, "parameters": sync.get(PARAMETERS) or {}})
    return {**stream, "incremental_sync": {**sync, "cursor_field": name}}


def _json(folder: Path, name: str) -> Any:
    """What a file below the folder holds; None for one that is not there, or is no JSON."""
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _referred(node: Any, root: Any, folder: Path, depth: int) -> Any:
    """The schema with what its references mean; one that leads nowhere stays, and types nothing."""
    if isinstance(node, list):
        return [_referred(one, root, folder, depth) for one in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and depth < DEEPEST:
        name, _, path = reference.partition("#")
        target = other = _json(folder, f"{SHARED}/{name}") if name else root
        for key in filter(None, path.split("/")):
            target = target.get(key) if isinstance(target, dict) else None
        if isinstance(target, dict):
            return _referred(target, other, folder, depth + 1)
    return {key: _referred(value, root, folder, depth) for key, value in node.items()}
