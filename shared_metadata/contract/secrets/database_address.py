"""What the secret of a connection to a database holds: where the database is, who Atoll is there, and how the server is trusted."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, Field

from shared_metadata.contract.secrets.secret_fields import SecretFields
from shared_metadata.program import Connection

FIELDS = "the secret is a JSON object with host, dbname, username, password and, if need be, port, sslmode, sslrootcert"
CONNECT_SECONDS = 10


class DatabaseAddress(SecretFields):
    """The secret's fields, which are never shown; a system says its port and its sslmodes. sslrootcert: a PEM certificate's text."""

    model_config = ConfigDict(coerce_numbers_to_str=True)
    remedy = FIELDS

    host: str = Field(min_length=1)
    dbname: str = Field(min_length=1)
    username: str = Field(min_length=1)
    password: str
    port: int = Field(ge=1, le=65535)
    sslmode: str = "require"
    sslrootcert: str = ""

    def certificate_file(self) -> str:
        """The certificate as a file, for libraries that take no text; it is public."""
        path = Path(tempfile.gettempdir()) / f"atoll-{hashlib.sha256(self.sslrootcert.encode()).hexdigest()[:16]}.pem"
        path.write_text(self.sslrootcert)
        return str(path)


AnAddress = TypeVar("AnAddress", bound=DatabaseAddress)


def read(model: type[AnAddress], connection: Connection, secret: Mapping[str, Any]) -> AnAddress:
    """Raises SecretError that names the fields that are missing or wrong; never a value."""
    place = f"connection {connection.name} ({connection.position})"
    return model.read(secret, str(connection.options.get("secret")), place)
