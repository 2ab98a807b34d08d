"""The options of a MySQL connection."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection
from systems.sql_source.options import LENGTH, ReadingOptions

LAG = timedelta(minutes=5)


class Config(ReadingOptions):
    """`CREATE CONNECTION shop TO mysql WITH (…)`.

    secret: a reference to the JSON secret.  lag: between a row's cursor value and its commit, at most.
    """

    secret: str = Field(min_length=1)
    lag: timedelta = Field(default=LAG, description=LENGTH)


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
