"""What a program may say of a PostgreSQL connection it publishes to, and what the connection's secret must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection


class Config(BaseModel):
    """The options after WITH.

    secret: reference of the secret, e.g. 'ops' for `atoll/ops`.
    receipts_schema: the schema in which the receipts and the staging tables live.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    receipts_schema: str = Field(default="atoll", min_length=1, max_length=63)


class Credentials(BaseModel):
    """The secret's JSON. sslmode as libpq names it; sslrootcert: the text of a PEM certificate."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    host: str = Field(min_length=1)
    dbname: str = Field(min_length=1)
    username: str = Field(min_length=1)
    password: str = Field(repr=False)
    port: int = Field(default=5432, ge=1, le=65535)
    sslmode: str = Field(default="require", pattern="^(disable|allow|prefer|require|verify-ca|verify-full)$")
    sslrootcert: str = Field(default="", repr=False)


def read_config(connection: Connection) -> Config:
    """This slice's options of the connection; those of the other slices of the same system are none of its business."""
    mine = {name: value for name, value in connection.options.items() if name in Config.model_fields}
    try:
        return Config(**mine)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise DefinitionError(
            f"the option {_field(first)} of connection {connection.name} is not accepted: {first['msg']}",
            place=str(connection.position),
            remedy="WITH (secret = '<reference>', receipts_schema = '<schema>'); only secret is required",
        ) from None


def read_credentials(connection: Connection, secret: Mapping[str, Any]) -> Credentials:
    """The secret's fields. Raises SecretError, which names a field and never a value."""
    try:
        return Credentials(**secret)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        raise SecretError(
            f"the field {_field(first)} of secret {connection.options.get('secret')!r} is not accepted: {first['msg']}",
            place=f"connection {connection.name} ({connection.position})",
            remedy="the secret is a JSON object with host, dbname, username, password and, if need be, port, sslmode, sslrootcert",
        ) from None


def _field(error: Any) -> str:
    return ".".join(str(part) for part in error["loc"]) or "?"
