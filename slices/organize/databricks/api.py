"""Databricks' REST API over HTTPS, by a service principal's OAuth token: https://docs.databricks.com/api/workspace/statementexecution"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import urllib3

from shared_metadata.errors import RetryLater, SecretError
from slices.organize.databricks.config import FIELDS, Key

TIMEOUT = urllib3.Timeout(connect=10, read=75)  # a call that submits is answered within 50 s
EARLY_SECONDS = 300  # a token is no longer used so long before its end
NOW = (429, 500, 502, 503, 504)
TRIES, MOST_PAUSE_SECONDS = 4, 5.0


class DatabricksApi:
    """host: of the workspace.  reference: of the secret, for errors."""

    def __init__(self, host: str, key: Key, reference: str, place: str) -> None:
        self._host, self._key, self._reference, self._place = key.host or host, key, reference, place
        self._token, self._until = "", 0.0

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status, and what is answered. Raises RetryLater, SecretError."""
        where = f"/api/2.0/{path}" + (f"?{urlencode(query)}" if query else "")
        text = json.dumps(body).encode() if body is not None else None
        status, told = self._tried(method, where, text)
        if status == 401:  # a token that was withdrawn, or whose clock is another's
            self._token, self._until = "", 0.0
            status, told = self._tried(method, where, text)
        if status == 401:
            raise self._refused("refuses the token that it gave")
        return status, told

    def _tried(self, method: str, where: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._signed()}", "Content-Type": "application/json"}
        return self._again(method, where, body, headers)

    def _again(self, method: str, where: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        for number in range(TRIES):
            status, told, pause = self._once(method, where, body, headers)
            if status not in NOW:
                return status, told
            if number + 1 < TRIES:
                time.sleep(min(pause or 0.1 * (number + 1), MOST_PAUSE_SECONDS))
        raise RetryLater(f"Databricks answers {status}", place=self._place, remedy="nothing: it is asked again")

    def _once(self, method: str, where: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, dict[str, Any], float]:
        every = {**headers, "Accept": "application/json", "User-Agent": "atoll/1.0"}
        try:
            answer = self._pool.request(method, f"https://{self._host}{where}", body=body, headers=every)
        except urllib3.exceptions.HTTPError as error:
            cause = f"Databricks at {self._host} was not reached: {type(error).__name__}"
            remedy = "see that host is the workspace's own, and that its IP access list lets Atoll's address in"
            raise RetryLater(cause, place=self._place, remedy=remedy) from None
        pause = answer.headers.get("Retry-After", "")
        try:
            told = json.loads(answer.data or b"{}")
        except ValueError:
            return (answer.status if answer.status >= 400 else 502), {}, 0.0
        return answer.status, told if isinstance(told, dict) else {}, float(pause) if pause.isdigit() else 0.0

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
        """A token of an hour: https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m"""
        if time.time() < self._until:
            return self._token
        who = base64.b64encode(f"{self._key.client_id}:{self._key.client_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {who}", "Content-Type": "application/x-www-form-urlencoded"}
        asked = urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
        status, told = self._again("POST", "/oidc/v1/token", asked, headers)
        if status != 200 or "access_token" not in told:
            raise self._refused("refuses the service principal")
        self._token = str(told["access_token"])
        self._until = time.time() + float(told.get("expires_in", 3600)) - EARLY_SECONDS
        return self._token

    def _refused(self, what: str) -> SecretError:
        return SecretError(
            f"Databricks {what} in the secret {self._reference!r}",
            place=self._place,
            remedy=f"give the principal a new secret, and see that it is of this workspace; {FIELDS}",
        )
