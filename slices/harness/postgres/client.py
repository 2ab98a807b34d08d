"""Publishes to one table of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Connection
from slices.harness.postgres.config import read_config
from slices.harness.postgres.session import PostgresSession
from systems.postgres.address import read_address
from systems.sql_target.target import SqlTarget


class PostgresTarget(SqlTarget):
    """The Target of contract/harness.py."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any], services: Services) -> None:
        config, address = read_config(connection), read_address(connection, secret)
        place = f"connection {connection.name} ({connection.position})"
        super().__init__(partial(PostgresSession, address, place, config.secret), config.receipts_schema, services)
