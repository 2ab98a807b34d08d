"""Databricks' REST API over HTTPS, by a service principal's OAuth token: https://docs.databricks.com/api/workspace/statementexecution"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from shared_metadata.errors import SecretError
from slices.organize.databricks.config import FIELDS, Key
from systems.sql_warehouse.https import Https, Sent

Body = Mapping[str, Any]
EARLY_SECONDS = 300  # a token is no longer used so long before its end


class DatabricksApi:
    """host: of the workspace.  reference: of the secret, for errors."""

    def __init__(self, host: str, key: Key, reference: str, place: str) -> None:
        self._key, self._reference, self._place = key, reference, place
        unreached = "see that host is the workspace's own, and that its IP access list lets Atoll's address in"
        self._https = Https("Databricks", host, key, reference, place, unreached)
        self._token, self._until = "", 0.0

    def ask(
        self, method: str, path: str, body: Body | Callable[[], Body] | None = None, query: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status, and what is answered. Raises RetryLater, SecretError.

        body: or what makes it each time that it is sent.
        """
        where = f"/api/2.0/{path}" + (f"?{urlencode(query)}" if query else "")
        text = None if body is None else lambda: json.dumps(body() if callable(body) else body).encode()
        status, told = self._tried(method, where, text)
        if status == 401:  # a token that was withdrawn, or whose clock is another's
            self._token, self._until = "", 0.0
            status, told = self._tried(method, where, text)
        if status == 401:
            raise self._refused("refuses the token that it gave")
        return status, told

    def _tried(self, method: str, where: str, body: Sent) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._signed()}", "Content-Type": "application/json"}
        return self._https.ask(method, where, body, headers)

    def _signed(self) -> str:
        """A token of an hour: https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m"""
        if time.time() < self._until:
            return self._token
        who = base64.b64encode(f"{self._key.client_id}:{self._key.client_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {who}", "Content-Type": "application/x-www-form-urlencoded"}
        asked = urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
        status, told = self._https.ask("POST", "/oidc/v1/token", asked, headers)
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
