"""What the secret of an Oracle connection holds: where the database is, who Atoll is there, and how the server is trusted."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import Field

from shared_metadata.contract.secrets.database_address import DatabaseAddress, read
from shared_metadata.program import Connection

SSL_MODES = ("disable", "require", "verify-ca", "verify-full")


class Address(DatabaseAddress):
    """dbname: the service's name.  sslmode: `disable` is plain TCP, all else TCPS; the names are those of PostgreSQL's secrets.

    wallet: the text of an `ewallet.pem`: the client's certificate, its key and the authorities.  wallet_password: of that key.
    """

    remedy = (
        "the secret is a JSON object with host, dbname (the service's name), username, password and, if need be, port, sslmode, "
        "sslrootcert, wallet, wallet_password"
    )

    port: int = Field(default=1521, ge=1, le=65535)
    sslmode: str = Field(default="require", pattern=f"^({'|'.join(SSL_MODES)})$")
    wallet: str = ""
    wallet_password: str = ""

    def encryption(self) -> dict[str, Any]:
        """What the driver takes for it. Raises ssl.SSLError for certificates or keys that are none."""
        if self.sslmode == "disable":
            return {"protocol": "tcp"}
        context = self._context()
        return {"protocol": "tcps", "ssl_context": context, "ssl_server_dn_match": False}  # the context itself looks at the name

    def _context(self) -> ssl.SSLContext:
        """The trust that sslmode asks for; a secret without certificates trusts the machine's."""
        context = ssl.create_default_context(cadata=self.sslrootcert or self.wallet or None)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # certificates that a server makes for itself do not pass
        context.check_hostname = self.sslmode == "verify-full"
        context.verify_mode = ssl.CERT_NONE if self.sslmode == "require" else ssl.CERT_REQUIRED
        if "PRIVATE KEY" in self.wallet:
            with TemporaryDirectory() as folder:  # the library takes no text
                file = Path(folder) / "wallet.pem"
                file.touch(0o600)
                file.write_text(self.wallet)
                context.load_cert_chain(file, password=self.wallet_password or None)
        return context


def read_address(connection: Connection, secret: Mapping[str, Any]) -> Address:
    """Raises SecretError that names the fields that are missing or wrong; never a value."""
    return read(Address, connection, secret)
