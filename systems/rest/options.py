"""The options of a connection to a source, made of what its manifest asks for; what is secret stands in the connection's secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from shared_metadata.contract.options import read_options
from shared_metadata.contract.tasks.options import TaskOptions
from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection
from systems.rest.document import LAG_SECONDS, Document, document_of

KINDS: Mapping[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}
HIDDEN = "airbyte_secret"
LAG_SAID = "a number of seconds, of at most a day"


class Options(BaseModel):
    """lag: how long after its moment a change may become visible at the API, in seconds; each window is read again by it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lag: int = Field(default=LAG_SECONDS, ge=0, le=86_400, description=LAG_SAID)


class OptionsOfTasks(Options, TaskOptions):
    """The same of a source that airbyte-cdk reads, in a function or as a task."""


@cache
def model_of(system: str) -> type[Options]:
    """The model of a source's options: plain values that are no secrets, `secret` where any is, and `rotating_grant`.

    airbyte-cdk takes no grant that rotates: the new token would be lost with its process.
    """
    document = document_of(system)
    required = set(document["spec"].get("required") or [])
    fields: dict[str, Any] = {name: _field(node, name in required) for name, node in plain_fields(document)}
    fields["lag"] = (int, Field(default=document.get("lag", LAG_SECONDS), ge=0, le=86_400, description=LAG_SAID))
    if any(True for _ in secret_fields(document)):
        fields["secret"] = (str, Field(min_length=1))
        fields |= {} if document["engine"] else {"rotating_grant": (bool, False)}
    base = OptionsOfTasks if document["engine"] else Options
    return create_model(f"Options_{system}", __base__=base, **fields)


def __getattr__(system: str) -> type[Options]:
    """A source's model by the source's name, as its declaration names it."""
    if system.startswith("_"):
        raise AttributeError(system)
    return model_of(system)


def lag_of(connection: Connection) -> int:
    """How long after its moment a change may become visible, in seconds: the connection's, or else the source's."""
    return read_options(model_of(connection.system), connection).lag


def config_of(connection: Connection, secret: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """What the manifest's expressions see as `config`. Raises DefinitionError for an option, SecretError for a secret's field."""
    options = read_options(model_of(connection.system), connection)
    given = {name: value for name, _ in plain_fields(document) if (value := getattr(options, name)) is not None}
    required = set(document["spec"].get("required") or [])
    missing = [name for name, _ in secret_fields(document) if name in required and not secret.get(name)]
    if missing:
        raise SecretError(
            f"the secret {connection.options.get('secret')} has no {', '.join(missing)}",
            place=f"connection {connection.name} ({connection.position})",
            remedy="store it with these fields; see the source's README",
        )
    defaults = {name: node["default"] for name, node in secret_fields(document) if "default" in node}
    return {**defaults, **secret, **given}


def secret_fields(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields of a source's secret: what is marked as hidden, and whatever is no plain value."""
    for name, node in _properties(document).items():
        if node.get(HIDDEN) or not _is_plain(node):
            yield name, node


def plain_fields(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The options of a connection to a source: plain values that are not marked as hidden."""
    for name, node in _properties(document).items():
        if not node.get(HIDDEN) and _is_plain(node):
            yield name, node


def _properties(document: Document) -> dict[str, Mapping[str, Any]]:
    found = document["spec"].get("properties") or {}
    taken = sorted({*found} & {"secret", "rotating_grant", *(OptionsOfTasks if document["engine"] else Options).model_fields})
    if taken:
        raise DefinitionError(f"the manifest has an option `{taken[0]}`, which is one of Atoll's", remedy="call it otherwise there")
    return {name: node for name, node in found.items() if isinstance(node, dict)}


def _kinds(node: Mapping[str, Any]) -> list[str]:
    kinds = node.get("type", "string")
    return [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]


def _is_plain(node: Mapping[str, Any]) -> bool:
    return len(_kinds(node)) == 1 and _kinds(node)[0] in KINDS and "oneOf" not in node


def _field(node: Mapping[str, Any], required: bool) -> tuple[Any, Any]:
    kind: Any = KINDS[_kinds(node)[0]]
    if isinstance(node.get("enum"), list) and node["enum"]:
        kind = Literal[tuple(node["enum"])]
    if "default" in node:
        return kind, node["default"]
    return (kind, ...) if required else (kind | None, None)
