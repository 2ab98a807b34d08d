"""The options of a PostgreSQL connection, and what its secret holds."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection

_LENGTH = re.compile(r"(\d+)\s*(second|minute|hour|day)s?")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# A peer that is gone, or a network that lets nothing through, is noticed within a minute.
SILENCE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
_REQUIRED = ("host", "dbname", "username", "password")


class Config(BaseModel):
    """`CREATE CONNECTION ops TO postgres WITH (…)`.

    secret: a reference to the JSON secret.  schema: of tables that are named without one.
    lag: how far behind its last upper bound a window over a time cursor reaches back, for transactions that commit late.
    max_parts: how many extracts of one large table may run beside each other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    default_schema: str = Field(default="public", alias="schema", min_length=1)
    lag: timedelta = timedelta(0)
    max_parts: int = Field(default=4, ge=1, le=64)

    @field_validator("lag", mode="before")
    @classmethod
    def _length(cls, value: Any) -> Any:
        found = _LENGTH.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        if not found:
            raise ValueError("write a length of time such as '30 seconds' or '5 minutes'")
        return timedelta(**{f"{found[2]}s": int(found[1])})


def read_config(connection: Connection) -> Config:
    """The connection's options that are this slice's; it may be another slice's connection too, and the compiler knows them all.

    Raises DefinitionError that names each wrong option and what is accepted.
    """
    names = {field.alias or name for name, field in Config.model_fields.items()}
    try:
        return Config.model_validate({name: value for name, value in connection.options.items() if name in names})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise DefinitionError(
            f"the options of connection {connection.name} are wrong: {wrong}",
            place=str(connection.position),
            remedy="accepted are secret (required), schema, lag and max_parts; see the slice's README",
        ) from None


@dataclass(frozen=True, repr=False)
class Address:
    """Where the database is and who Atoll is there; never shown."""

    host: str
    port: int
    dbname: str
    username: str
    password: str
    sslmode: str
    sslrootcert: str

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
            "connect_timeout": 10,
            **SILENCE,
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
    reference = f"the secret {connection.options.get('secret')!r}"
    place = f"connection {connection.name} ({connection.position})"
    missing = [name for name in _REQUIRED if name not in secret]
    if missing:
        raise SecretError(
            f"{reference} lacks {', '.join(missing)}",
            place=place,
            remedy="store host, port, dbname, username, password and, if wanted, sslmode and sslrootcert in it as JSON",
        )
    port, sslmode = str(secret.get("port", 5432)), str(secret.get("sslmode", "require"))
    if not port.isdigit():
        raise SecretError(f"port in {reference} is not a number", place=place, remedy="store a number, e.g. 5432")
    if sslmode not in _SSL_MODES:
        raise SecretError(f"sslmode in {reference} is unknown", place=place, remedy=f"store one of {', '.join(_SSL_MODES)}")
    texts = (str(secret[name]) for name in _REQUIRED)
    host, dbname, username, password = texts
    return Address(host, int(port), dbname, username, password, sslmode, str(secret.get("sslrootcert", "")))
