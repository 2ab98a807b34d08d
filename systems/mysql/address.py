"""What the secret of a MySQL or MariaDB connection holds: where the database is, and who Atoll is there."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared_metadata.contract.secrets.database_address import DatabaseAddress, read
from shared_metadata.program import Connection

SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")


class Address(DatabaseAddress):
    """sslmode: the names are those of PostgreSQL's secrets; dbname: the database of tables named without one."""

    port: int = Field(default=3306, ge=1, le=65535)
    sslmode: str = Field(default="require", pattern=f"^({'|'.join(SSL_MODES)})$")

    def encryption(self) -> dict[str, Any]:
        """What PyMySQL takes for it. Raises ssl.SSLError for certificates that are none."""
        if self.sslmode == "disable":
            return {"ssl_disabled": True}
        return {"ssl": self._context()} if self.sslmode != "prefer" else {}

    def _context(self) -> ssl.SSLContext:
        """The trust that sslmode asks for; a secret without certificates trusts the machine's."""
        context = ssl.create_default_context(cadata=self.sslrootcert or None)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # certificates that a server makes for itself do not pass
        context.check_hostname = self.sslmode == "verify-full"
        context.verify_mode = ssl.CERT_NONE if self.sslmode == "require" else ssl.CERT_REQUIRED
        return context


def read_address(connection: Connection, secret: Mapping[str, Any]) -> Address:
    """Raises SecretError that names the fields that are missing or wrong; never a value."""
    return read(Address, connection, secret)
