"""What a program may say of a PostgreSQL connection it publishes to."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection


class Config(BaseModel):
    """The options after WITH.

    secret: reference of the secret, e.g. 'ops' for `atoll/ops`.
    receipts_schema: the schema in which the receipts and the staging tables live.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    receipts_schema: str = Field(default="atoll", min_length=1, max_length=63)


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


def _field(error: Any) -> str:
    return ".".join(str(part) for part in error["loc"]) or "?"
