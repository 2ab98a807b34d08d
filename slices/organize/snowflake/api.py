"""Snowflake's SQL API over HTTPS, signed by a user's key: https://docs.snowflake.com/en/developer-guide/sql-api/reference"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import jwt
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from shared_metadata.errors import RetryLater, SecretError
from shared_metadata.program import Warehouse
from slices.organize.snowflake.config import FIELDS, Key

NO_KEY = "is no private RSA key in PEM without a passphrase"
# A call that submits is answered after 45 s at the latest, whether or not the statement is done.
TIMEOUT = urllib3.Timeout(connect=10, read=75)
TOKEN_SECONDS = 3000  # an hour is the most; a call takes less than what is left
NOW = (429, 500, 502, 503, 504)
TRIES = 3


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
        self._token, self._until = "", 0.0

    def ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status, and what is answered. Raises RetryLater, SecretError."""
        url = f"https://{self._host}/api/v2/statements{path}" + (f"?{urlencode(query)}" if query else "")
        text = json.dumps(body).encode() if body is not None else None
        for number in range(TRIES):
            status, told = self._once(method, url, text)
            if status not in NOW:
                break
            time.sleep(0.1 * (number + 1) if number + 1 < TRIES else 0)
        if status == 401:
            raise SecretError(
                f"Snowflake refuses the key in the secret {self._reference!r} ({told.get('code', '')})",
                place=self._place,
                remedy=f"give the user the key's public half: ALTER USER … SET RSA_PUBLIC_KEY; {FIELDS}",
            )
        if status in NOW or status == 403:
            remedy = "nothing: it is asked again" if status != 403 else "let Atoll's address through the account's network policy"
            raise RetryLater(f"Snowflake answers {status}", place=self._place, remedy=remedy)
        return status, told

    def _once(self, method: str, url: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        headers = {
            **{"Authorization": f"Bearer {self._signed()}", "X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT"},
            **{"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "atoll/1.0"},
        }
        try:
            answer = self._pool.request(method, url, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            cause = f"Snowflake at {self._host} was not reached: {type(error).__name__}"
            raise RetryLater(cause, place=self._place, remedy="see that the account's identifier is right") from None
        try:
            told = json.loads(answer.data or b"{}")
        except ValueError:
            return (answer.status if answer.status >= 400 else 502), {}
        return answer.status, told if isinstance(told, dict) else {}

    @property
    def _host(self) -> str:
        return self._key.host or f"{self._account.lower().replace('_', '-')}.snowflakecomputing.com"

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        context = ssl.create_default_context()
        if self._key.ca_certificate:
            try:
                context.load_verify_locations(cadata=self._key.ca_certificate)
            except (ssl.SSLError, ValueError):
                cause = f"ca_certificate of the secret {self._reference!r} is not a certificate in PEM"
                raise SecretError(cause, place=self._place, remedy=FIELDS) from None
        return urllib3.PoolManager(maxsize=4, retries=False, timeout=TIMEOUT, ssl_context=context)

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
