"""Snowflake's SQL API over HTTPS, signed by a user's key: https://docs.snowflake.com/en/developer-guide/sql-api/reference"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from shared_metadata.errors import RetryLater, SecretError
from shared_metadata.program import Warehouse
from slices.organize.snowflake.config import FIELDS, Key
from systems.sql_warehouse.https import Https

NO_KEY = "is no private RSA key in PEM without a passphrase"
TOKEN_SECONDS = 3000  # an hour is the most; a call takes less than what is left


def check_key(warehouse: Warehouse, values: Mapping[str, Any]) -> None:
    """Raises SecretError for a secret with which no call can be signed; it names fields and no value."""
    reference, place = str(warehouse.options["secret"]), f"warehouse {warehouse.name} ({warehouse.position})"
    try:
        key = serialization.load_pem_private_key(Key.read(values, reference, place).private_key.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SecretError(f"private_key of the secret {reference!r} {NO_KEY}", place=place, remedy=FIELDS)


class SnowflakeApi:
    """account: its identifier.  reference: of the secret, for errors."""

    def __init__(self, account: str, key: Key, reference: str, place: str) -> None:
        self._account, self._key, self._reference, self._place = account, key, reference, place
        host = f"{account.lower().replace('_', '-')}.snowflakecomputing.com"
        self._https = Https("Snowflake", host, key, reference, place, "see that the account's identifier is right")
        self._token, self._until = "", 0.0

    def ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status, and what is answered. Raises RetryLater, SecretError."""
        where = f"/api/v2/statements{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {
            **{"Authorization": f"Bearer {self._signed()}", "X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT"},
            "Content-Type": "application/json",
        }
        status, told = self._https.ask(method, where, json.dumps(body).encode() if body is not None else None, headers)
        if status == 401:
            raise SecretError(
                f"Snowflake refuses the key in the secret {self._reference!r} ({told.get('code', '')})",
                place=self._place,
                remedy=f"give the user the key's public half: ALTER USER … SET RSA_PUBLIC_KEY; {FIELDS}",
            )
        if status == 403:
            remedy = "let Atoll's address through the account's network policy"
            raise RetryLater(f"Snowflake answers {status}", place=self._place, remedy=remedy)
        return status, told

    def _signed(self) -> str:
        """A token of less than an hour: https://docs.snowflake.com/en/developer-guide/sql-api/authenticating"""
        if time.time() < self._until:
            return self._token
        try:
            key = serialization.load_pem_private_key(self._key.private_key.encode(), None)
            public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            user = f"{self._account.partition('.')[0].upper()}.{self._key.user.upper()}"
            digest = base64.b64encode(hashlib.sha256(public).digest()).decode()
            now = int(time.time())
            told = {"iss": f"{user}.SHA256:{digest}", "sub": user, "iat": now, "exp": now + TOKEN_SECONDS}
            self._token = jwt.encode(told, key, algorithm="RS256")  # type: ignore[arg-type]
        except (ValueError, TypeError, jwt.PyJWTError):
            cause = f"private_key of the secret {self._reference!r} {NO_KEY}"
            raise SecretError(cause, place=self._place, remedy=FIELDS) from None
        self._until = now + TOKEN_SECONDS - 900
        return self._token
