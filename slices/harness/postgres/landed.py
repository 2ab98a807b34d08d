"""Finds the newest batch in the receipts of a database."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.landed import Landed
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Connection
from slices.harness.postgres import database as db
from slices.harness.postgres.config import read_config
from slices.harness.postgres.receipts import Receipts
from slices.harness.postgres.refusals import translated
from systems.postgres.address import read_address


def newest_batches(
    connection: Connection, services: Services, flows: Mapping[str, str], deadline: Deadline
) -> dict[str, Landed | None]:
    """Each published table's newest batch, by the receipt of its flow."""
    config, place = read_config(connection), f"connection {connection.name}"
    address = read_address(connection, services.secret(config.secret, place=place))
    session = db.connect(address, place, config.secret, deadline)
    try:
        with translated(place, None, address.username):
            receipts = Receipts(session, config.receipts_schema, address.username, place)
            return {dataset: _landed(receipts, config.receipts_schema, flow) for dataset, flow in flows.items()}
    finally:
        session.close()


def _landed(receipts: Receipts, schema: str, flow: str) -> Landed | None:
    found = receipts.newest(flow)
    return found and Landed(found[0], found[1], f"the receipt of {flow} in {schema}.receipts")
