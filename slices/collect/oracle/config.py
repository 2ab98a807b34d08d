"""The options of an Oracle connection."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection
from systems.sql_source.options import LENGTH, ReadingOptions

LAG = timedelta(minutes=5)


class Config(ReadingOptions):
    """`CREATE CONNECTION hr TO oracle WITH (…)`.

    secret: a reference to the JSON secret.  schema: that of tables named without one; '' for the secret's user's own.
    lag: between a row's cursor value and its commit, at most.
    """

    secret: str = Field(min_length=1)
    default_schema: str = Field(default="", alias="schema")
    lag: timedelta = Field(default=LAG, description=LENGTH)


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
