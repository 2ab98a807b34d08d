"""Shows what the next batch would write, by what the database says of the ones before."""

from __future__ import annotations

from shared_metadata.contract.preview import Asked, Preview
from slices.harness.postgres.client import PostgresTarget
from systems.sql_target.preview import preview as previewed


def preview(asked: Asked) -> Preview:
    return previewed(asked, lambda secret: PostgresTarget(asked.connection, secret, asked.services))
