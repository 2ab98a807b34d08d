"""Sends groups of rows by HTTP, and says what the answers mean."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Connection
from slices.harness.webhook.config import Config
from slices.harness.webhook.logic import body_of, meaning, told_of
from slices.harness.webhook.receiver import Receiver
from systems.application_target.application import Answer, Application, Group

if TYPE_CHECKING:
    import urllib3

SPARE_SECONDS = 10  # of a call, to write down what was answered
ANSWER_BYTES = 1 << 16  # nothing of an answer is used; what is longer closes the connection


class Webhook(Application):
    """The Application of systems/application_target."""

    def __init__(self, connection: Connection, config: Config, receiver: Receiver, services: Services) -> None:
        self._config, self._receiver, self._clock = config, receiver, services.clock
        self._place, self._connection = f"connection {connection.name} ({connection.position})", connection.name
        self.rows_a_group, self.seconds_a_group = config.rows_a_request, float(config.timeout_seconds)

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        import urllib3

        from shared_metadata.contract.secrets.https_pool import https_pool

        return https_pool(
            self._receiver.authority, urllib3.Timeout(total=self.seconds_a_group), secret=self._config.secret, place=self._place
        )

    def send(self, group: Group, deadline: Deadline) -> Answer:
        """All of a group is taken or none. Follows no redirect, so that neither rows nor credentials go elsewhere."""
        import urllib3

        seconds = min(self.seconds_a_group, deadline.seconds_left - SPARE_SECONDS)
        if seconds <= 0:
            raise RetryLater("a call's time is over", place=self._place)
        body = body_of(group, self._config.format)
        signed = self._receiver.headers(group.key, int(self._clock().timestamp()), body)
        headers = {**told_of(self._config.format), **signed}
        url = self._receiver.address(group.dataset.removeprefix(f"{self._connection}."))
        try:
            answer = self._pool.request(
                "POST", url, headers=headers, body=body, redirect=False, preload_content=False, decode_content=False,
                timeout=urllib3.Timeout(total=seconds),
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                remedy = "have it show one with its name, of a known authority or of that in the secret's `ca_certificate`"
                raise DefinitionError(
                    "the application's certificate is not to be trusted", place=self._place, remedy=remedy
                ) from None
            raise RetryLater(f"the application does not answer: {type(error).__name__}", place=self._place) from None
        _drain(answer, seconds)
        return Answer(whole=meaning(answer.status, answer.headers, self._config.secret, self._place))

    def close(self) -> None:
        if "_pool" in vars(self):
            self._pool.clear()


def _drain(answer: urllib3.BaseHTTPResponse, seconds: float) -> None:
    """Reads the rest of an answer, so that its connection serves again; its status is all that counts.

    seconds: for how long, though it may come byte by byte.
    """
    import urllib3

    left, end = ANSWER_BYTES, time.monotonic() + seconds
    try:
        while left and (some := answer.read1(left)):
            left = left - len(some) if time.monotonic() < end else 0
    except urllib3.exceptions.HTTPError:
        left = 0
    if not left:
        answer.close()
    answer.release_conn()
