"""The options of a PostgreSQL connection."""

from __future__ import annotations

from pydantic import Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection
from systems.sql_source.options import ReadingOptions


class Config(ReadingOptions):
    """`CREATE CONNECTION ops TO postgres WITH (…)`.

    secret: a reference to the JSON secret.  schema: that of tables named without one.
    publication: what publishes the tables that are captured.  max_log_gb: of log that the server keeps for a captured table, beyond
    which its slot is given up.
    """

    secret: str = Field(min_length=1)
    default_schema: str = Field(default="public", alias="schema", min_length=1)
    publication: str = Field(default="atoll", min_length=1)
    max_log_gb: int = Field(default=20, ge=1)

    @property
    def most_log_bytes(self) -> int:
        return self.max_log_gb * 2**30


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
