"""Opens a session of Salesforce as a connection's options say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared_metadata.contract.secrets.rotating_grant import RotatingGrant
from shared_metadata.program import Connection
from slices.harness.salesforce.config import read_config
from systems.salesforce.session import Session

GrantOf = Callable[..., RotatingGrant]


def session_of(connection: Connection, secret: Mapping[str, Any], grant_of: GrantOf) -> Session:
    """grant_of: the grant in a secret, by its reference and the place that errors name."""
    config, place = read_config(connection), f"connection {connection.name} ({connection.position})"
    grant = grant_of(config.secret, place=place) if config.rotating_grant else None
    return Session(
        secret, reference=config.secret, place=place, api_version=config.api_version, compression=config.compression, grant=grant
    )
