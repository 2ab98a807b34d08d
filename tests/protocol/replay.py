"""Runs real code up to its next call of the outside, by giving it the answers that it was given before.

A process is what it runs and what it was answered so far, both values: so it can be stopped before and after every call, kept, copied
and gone on with, without threads, and two that have seen the same are the same.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from shared_metadata.program.intervals import from_text, to_text

History = tuple[str, ...]  # answers as JSON
TIMEOUT = json.dumps({"timeout": True})


@dataclass(frozen=True)
class Call:
    """What a process wants of the outside: a method of a service's client."""

    service: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Returned:
    """How a process ended: with this value."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """How a process ended: with this error."""

    error: Exception


Outcome = Call | Returned | Raised


class _Paused(BaseException):
    """Not an Exception, so that no code under test catches it."""

    def __init__(self, call: Call) -> None:
        self.call = call


class NoSuchKey(Exception):
    """S3's."""


class Line:
    """What stands between a process and the outside: answers from its history, then pauses."""

    def __init__(self, history: History, now: datetime) -> None:
        self.history, self._now, self._at = list(history), now, 0

    def call(self, service: str, name: str, arguments: Mapping[str, Any]) -> Any:
        if self._at == len(self.history):
            raise _Paused(Call(service, name, arguments))
        return _given(self._next())

    def clock(self) -> datetime:
        """Read where the process stands, right after the last answer."""
        if self._at == len(self.history):
            self.history.append(to_text(self._now))
        return from_text(self._next())

    def client(self, service: str) -> Any:
        """As boto3 makes them."""
        return _S3(self, service) if service == "s3" else _Client(self, service)

    def _next(self) -> str:
        self._at += 1
        return self.history[self._at - 1]


class _Client:
    """A client whose every method is a call."""

    def __init__(self, line: Line, service: str) -> None:
        self._line, self._service = line, service
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))
        self.exceptions = SimpleNamespace(NoSuchKey=NoSuchKey)

    def __getattr__(self, name: str) -> Any:
        return lambda **arguments: self._line.call(self._service, name, arguments)

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **arguments: self._pages(name, arguments))

    def _pages(self, name: str, arguments: Mapping[str, Any]) -> Iterator[Any]:
        page = self._line.call(self._service, name, arguments)
        yield page
        while "LastEvaluatedKey" in page:
            page = self._line.call(self._service, name, {**arguments, "ExclusiveStartKey": page["LastEvaluatedKey"]})
            yield page


class _S3(_Client):
    def get_object(self, **arguments: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._line.call("s3", "get_object", arguments)["Body"])}


def run(body: Callable[[Line], Any], history: History, now: datetime) -> tuple[History, Outcome]:
    """Up to the next call, or the end; the history grows by what the process read of the clock."""
    line = Line(history, now)
    outcome: Outcome
    try:
        outcome = Returned(body(line))
    except _Paused as paused:
        outcome = paused.call
    except Exception as error:
        outcome = Raised(error)
    return tuple(line.history), outcome


def answer(value: Any) -> str:
    """A call's answer as a history holds it."""
    return json.dumps({"answer": value}, default=_plain)


def refusal(error: Exception) -> str:
    """An error that a call answered with."""
    if isinstance(error, ClientError):
        return json.dumps({"refused": error.response, "operation": error.operation_name})
    assert isinstance(error, NoSuchKey), error
    return json.dumps({"no key": True})


@cache
def _decoded(text: str) -> dict[str, Any]:
    return json.loads(text, object_hook=_rich)  # type: ignore[no-any-return]


def _given(text: str) -> Any:
    found = _decoded(text)
    if "answer" in found:
        return found["answer"]
    if "refused" in found:
        raise ClientError(found["refused"], found["operation"])
    if "no key" in found:
        raise NoSuchKey
    raise ReadTimeoutError(endpoint_url="https://aws")


def _plain(value: Any) -> Any:
    return {"moment": to_text(value)} if isinstance(value, datetime) else {"bytes": value.hex()}


def _rich(value: dict[str, Any]) -> Any:
    if value.keys() == {"bytes"}:
        return bytes.fromhex(value["bytes"])
    return from_text(value["moment"]) if value.keys() == {"moment"} else value
