"""Publishes to one table of a MySQL or MariaDB database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Connection
from slices.harness.mysql.config import read_config
from slices.harness.mysql.session import MysqlSession
from systems.mysql.address import read_address
from systems.sql_target.target import SqlTarget


class MysqlTarget(SqlTarget):
    """The Target of contract/harness.py."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any], services: Services) -> None:
        config, address = read_config(connection), read_address(connection, secret)
        place = f"connection {connection.name} ({connection.position})"
        super().__init__(partial(MysqlSession, address, place, config.secret), config.receipts_schema, services)
