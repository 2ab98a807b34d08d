"""What the secret of a PostgreSQL connection holds: where the database is, and who Atoll is there."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared_metadata.errors import SecretError
from shared_metadata.program import Connection

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# A peer that is gone, or a network that lets nothing through, is noticed within a minute.
KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
CONNECT_SECONDS = 10
FIELDS = "the secret is a JSON object with host, dbname, username, password and, if need be, port, sslmode, sslrootcert"


class Address(BaseModel):
    """The secret's fields, which are never shown. sslmode as libpq names it; sslrootcert: the text of a PEM certificate."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)

    host: str = Field(min_length=1)
    dbname: str = Field(min_length=1)
    username: str = Field(min_length=1)
    password: str
    port: int = Field(default=5432, ge=1, le=65535)
    sslmode: str = Field(default="require", pattern=f"^({'|'.join(SSL_MODES)})$")
    sslrootcert: str = ""

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return []

    def conninfo(self, *, password: bool) -> str:
        """libpq's connection string; without the password where it could come to be shown."""
        from psycopg.conninfo import make_conninfo

        values: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.dbname,
            "user": self.username,
            "sslmode": self.sslmode,
            "application_name": "atoll",
            "client_encoding": "UTF8",
            "connect_timeout": CONNECT_SECONDS,
            **KEEPALIVES,
        }
        if self.sslrootcert:
            values["sslrootcert"] = self._certificate_file()
        return make_conninfo(**values, **({"password": self.password} if password else {}))

    def _certificate_file(self) -> str:
        """libpq takes certificates as files only; this one is public."""
        path = Path(tempfile.gettempdir()) / f"atoll-{hashlib.sha256(self.sslrootcert.encode()).hexdigest()[:16]}.pem"
        path.write_text(self.sslrootcert)
        return str(path)


def read_address(connection: Connection, secret: Mapping[str, Any]) -> Address:
    """Raises SecretError that names the fields that are missing or wrong; never a value."""
    reference, place = f"the secret {connection.options.get('secret')!r}", f"connection {connection.name} ({connection.position})"
    missing = [name for name, field in Address.model_fields.items() if field.is_required() and name not in secret]
    if missing:
        raise SecretError(f"{reference} lacks the fields {', '.join(missing)}", place=place, remedy=FIELDS)
    try:
        return Address(**secret)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "?"
        raise SecretError(f"the field {field} of {reference} is not accepted: {first['msg']}", place=place, remedy=FIELDS) from None
