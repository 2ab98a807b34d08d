"""Sends requests over HTTP; what breaks on the way is for later."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import PackageNotFoundError, version

import urllib3

from shared_metadata.contract.cut_answers import says_where_it_ends
from shared_metadata.errors import RetryLater
from systems.rest.answers import Answer
from systems.rest.requests import Request

TIMEOUT = urllib3.Timeout(connect=10, read=120)


class Sending:
    """The connections of one step.  place: of the connection in the program, for errors."""

    def __init__(self, place: str) -> None:
        self._place = place

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(timeout=TIMEOUT, headers={"User-Agent": _agent(), "Accept-Encoding": "gzip"})

    def send(self, request: Request) -> Answer:
        """Follows no redirect and repeats nothing. Raises RetryLater where no whole answer came."""
        headers = {**self._pool.headers, **request.headers}
        try:
            answer = self._pool.request(
                request.method, request.url, headers=headers, body=request.body, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise RetryLater(f"the API does not answer: {type(error).__name__}", place=self._place) from None
        if not says_where_it_ends(answer):
            raise RetryLater("the API's answer was cut off", place=self._place)
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def close(self) -> None:
        if "_pool" in self.__dict__:
            self._pool.clear()


def _agent() -> str:
    """Some APIs take no request without a name."""
    try:
        return f"atoll/{version('atoll')}"
    except PackageNotFoundError:  # in a function
        return "atoll"
