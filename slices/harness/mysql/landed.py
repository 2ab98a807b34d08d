"""Finds the newest batch in the receipts of a database."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.landed import Landed
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Connection
from slices.harness.mysql.config import read_config
from slices.harness.mysql.session import MysqlSession
from systems.mysql.address import read_address
from systems.sql_target import target


def newest_batches(
    connection: Connection, services: Services, flows: Mapping[str, str], deadline: Deadline
) -> dict[str, Landed | None]:
    """Each published table's newest batch, by the receipt of its flow."""
    config, place = read_config(connection), f"connection {connection.name}"
    address = read_address(connection, services.secret(config.secret, place=place))
    session = MysqlSession(address, place, config.secret, deadline)
    return target.newest_batches(session, config.receipts_schema, flows, place)
