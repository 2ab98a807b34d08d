"""What the secret of a PostgreSQL connection holds: where the database is, and who Atoll is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared_metadata.contract.secrets.database_address import CONNECT_SECONDS, DatabaseAddress, read
from shared_metadata.program import Connection

__all__ = ["CONNECT_SECONDS", "SSL_MODES", "Address", "read_address"]

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# A peer that is gone, or a network that lets nothing through, is noticed within a minute.
KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}


class Address(DatabaseAddress):
    """sslmode as libpq names it."""

    port: int = Field(default=5432, ge=1, le=65535)
    sslmode: str = Field(default="require", pattern=f"^({'|'.join(SSL_MODES)})$")

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
            values["sslrootcert"] = self.certificate_file()
        return make_conninfo(**values, **({"password": self.password} if password else {}))


def read_address(connection: Connection, secret: Mapping[str, Any]) -> Address:
    """Raises SecretError that names the fields that are missing or wrong; never a value."""
    return read(Address, connection, secret)
