"""What the secret of a connection to Salesforce holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.errors import SecretError
from shared_metadata.program import Connection

WAYS = (("client_id", "username", "private_key"), ("client_id", "client_secret", "login_url"), ("client_id", "refresh_token"))


def read_credentials(connection: Connection, secret: Mapping[str, Any]) -> Mapping[str, Any]:
    """The secret, which has the fields of one of the ways to sign in. Raises SecretError that names fields and no value."""
    if any(all(secret.get(name) for name in way) for way in WAYS):
        return secret
    ways = ", or ".join(", ".join(f"`{name}`" for name in way) for way in WAYS)
    raise SecretError(
        f"the secret of connection {connection.name} is not usable: it has not all fields of a way to sign in",
        place=str(connection.position),
        remedy=f"the secret holds an object with {ways}, and perhaps `login_url` and `ca_certificate`: `atoll secret`",
    )
