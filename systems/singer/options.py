"""The options of a connection to a tap, as its `tap.yaml` declares them, and the configuration that the tap is given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ConfigDict, Field, create_model

from shared_metadata.contract.options import read_options
from shared_metadata.contract.tasks.options import TaskOptions
from shared_metadata.contract.tasks.run import TASK
from shared_metadata.errors import SecretError
from shared_metadata.program import Connection
from systems.singer.tap_file import KINDS, Document, document_of


class Options(TaskOptions):
    """lag: how long after its moment a change may become visible, in seconds; each batch begins so much before its interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lag: int


@cache
def model_of(system: str) -> type[Options]:
    """The model of a tap's options: those of its `tap.yaml`, and `secret` where that names fields of one."""
    document = document_of(system)
    fields: dict[str, Any] = {name: (KINDS[kind] | None, None) for name, kind in document["options"].items()}
    fields["lag"] = (int, Field(default=document["lag"], ge=0, le=86_400, description="a number of seconds, of at most a day"))
    fields["secret"] = (str, Field(min_length=1)) if document["secret"] else (str, "")
    if document["image"]:
        fields["run"] = (str, Field(pattern="^task$", description=f"'{TASK}': the tap is in an image, which only a task runs"))
    return create_model(f"Options_{system}", __base__=Options, **fields)


def __getattr__(system: str) -> type[Options]:
    """A tap's model by the folder's name, as its declaration names it."""
    if system.startswith("_"):
        raise AttributeError(system)
    return model_of(system)


def lag_of(connection: Connection) -> int:
    return read_options(model_of(connection.system), connection).lag


def config_of(connection: Connection, secret: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """What the tap is given as its configuration. Raises DefinitionError for an option, SecretError for a field of the secret."""
    options = read_options(model_of(connection.system), connection)
    if missing := [name for name in document["secret"] if secret.get(name) in (None, "")]:
        raise SecretError(
            f"the secret {connection.options.get('secret')} has no {', '.join(missing)}",
            place=f"connection {connection.name} ({connection.position})",
            remedy="store it with these fields; the folder's tap.yaml names them",
        )
    given = {name: value for name in document["options"] if (value := getattr(options, name)) is not None}
    return {**document["config"], **secret, **given}
