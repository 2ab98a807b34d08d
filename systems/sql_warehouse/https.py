"""A warehouse's service over HTTPS: what it answers is JSON, and what it has no time for just now is asked again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import urllib3

from shared_metadata.contract.cut_answers import says_where_it_ends
from shared_metadata.contract.secrets.https_pool import https_pool
from shared_metadata.contract.secrets.secret_fields import SecretFields
from shared_metadata.errors import RetryLater

TIMEOUT = urllib3.Timeout(connect=10, read=75)  # a call that submits a statement is answered within 50 s
NOW = (429, 500, 502, 503, 504)
TRIES, MOST_PAUSE_SECONDS = 4, 5.0
Sent = bytes | Callable[[], bytes] | None  # a body, or what makes one each time that it is sent


class ServiceKey(SecretFields):
    """What a secret may hold beside what signs in.  host: where the service answers, of a private link or a proxy."""

    host: str = ""
    ca_certificate: str = ""


class Https:
    """title: the service's name.  host: its own, unless the key says another.  reference: of the secret, for errors.

    unreached: what to see after where it was not reached.
    """

    def __init__(self, title: str, host: str, key: ServiceKey, reference: str, place: str, unreached: str) -> None:
        self._title, self._host, self._key = title, key.host or host, key
        self._reference, self._place, self._unreached = reference, place, unreached

    def ask(self, method: str, path: str, body: Sent, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """The status, and what is answered. Raises RetryLater, SecretError."""
        for number in range(TRIES):
            status, told, pause = self._once(method, path, body, headers)
            if status not in NOW:
                return status, told
            if number + 1 < TRIES:
                time.sleep(min(pause or 0.1 * (number + 1), MOST_PAUSE_SECONDS))
        raise RetryLater(f"{self._title} answers {status}", place=self._place, remedy="nothing: it is asked again")

    def _once(self, method: str, path: str, body: Sent, headers: Mapping[str, str]) -> tuple[int, dict[str, Any], float]:
        """The seconds after which it wants to be asked again, too; 0 for what it does not say."""
        every = {**headers, "Accept": "application/json", "User-Agent": "atoll/1.0"}
        try:
            answer = self._pool.request(method, f"https://{self._host}{path}", body=body() if callable(body) else body, headers=every)
            if not says_where_it_ends(answer):
                raise urllib3.exceptions.ProtocolError("cut off among its headers")
        except urllib3.exceptions.HTTPError as error:
            cause = f"{self._title} at {self._host} was not reached: {type(error).__name__}"
            raise RetryLater(cause, place=self._place, remedy=self._unreached) from None
        pause = answer.headers.get("Retry-After", "")
        try:
            told = json.loads(answer.data or b"{}")
        except ValueError:
            return (answer.status if answer.status >= 400 else 502), {}, 0.0
        return answer.status, told if isinstance(told, dict) else {}, float(pause) if pause.isdigit() else 0.0

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        return https_pool(self._key.ca_certificate, TIMEOUT, secret=f"the secret {self._reference!r}", place=self._place)
