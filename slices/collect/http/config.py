"""The options of `CREATE CONNECTION … TO http WITH (…)`."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shared_metadata.contract.options import read_options
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection
from slices.collect.http.declared import NAME, Declared, declared

# A function takes 6 MB, in which a quote of the body is two bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST_KB = 2048


class Config(BaseModel):
    """tables: what events can be sent to, each a path of its own, and a table; perhaps with the columns that its events have.

    signature: how senders sign, with the keys in the connection's secret: as Standard Webhooks say, or Stripe does.
    format: of an event: a JSON object, whose keys are columns, or any text, which is the column `data`.
    most_kb: of a request's body, also once it is unpacked.  requests_a_second: to each table, the connection's bound.
    tolerance_seconds: how far a signature's moment may be from now.
    gap: what happens where events were deleted, by their age, before they were collected.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: str = Field(
        description="names of letters, digits, _ and -, with commas between, each perhaps with columns: 'clicks, orders (id bigint)'"
    )
    signature: Literal["standard", "stripe"] = "standard"
    format: Literal["json", "text"] = "json"
    most_kb: int = Field(1024, ge=1, le=LARGEST_KB)
    requests_a_second: int = Field(100, ge=1, le=3000)
    tolerance_seconds: int = Field(300, ge=10, le=3600)
    gap: Literal["refuse", "skip"] = "refuse"

    @field_validator("tables")
    @classmethod
    def _are_tables(cls, tables: str) -> str:
        declared(tables)
        return tables

    @cached_property
    def columns(self) -> dict[str, tuple[Declared, ...]]:
        """Table ▸ the columns that it declares; () where it takes any."""
        return declared(self.tables)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)


def read_config(connection: Connection) -> Config:
    """Raises DefinitionError for one whose name cannot stand in a path, and for one without a secret."""
    if not NAME.fullmatch(connection.name):
        cause = f"the name of connection {connection.name} is a part of its endpoint's path"
        raise DefinitionError(cause, place=str(connection.position), remedy="name it by letters, digits, _ and -")
    if not connection.options.get("secret"):
        remedy = "write secret = 'name', of a secret with a key of each sender: see the slice's README"
        raise DefinitionError(f"connection {connection.name} names no secret", place=str(connection.position), remedy=remedy)
    return read_options(Config, connection)
