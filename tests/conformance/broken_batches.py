"""Breaks the n-th call that each step of a batch makes of any service, and plays the state machine's and the conductor's parts until
it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context
from functools import partial
from typing import Any, TypeVar

import pytest
import urllib3

from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.contract.runtime.lambda_handler import told
from shared_metadata.contract.secrets.https_pool import https_pool
from shared_metadata.contract.waiting import statements
from shared_metadata.errors import AlreadyCommitted, RetryLater, StaleToken
from systems.sql_warehouse import https
from tests.conformance.broken import Ended, down, lost
from tests.conformance.fixtures import FakeContext, run_batch
from tests.conformance.organize import Lake
from tests.memory.dynamodb import refused

TRIES, COUNTED_LOOKS = 6, 2
LAPSED_MINUTES = 20  # by then the lease of one who is no more has ended
HTTPS = "https"
# What breaks, and whether what was asked for is done by then. Killed is the function's process, whose step is called again; stopped
# is the execution, after which the conductor starts another one. A service is down, or throttles, for as long as its caller asks.
# Late is what is lost for its caller, and done by the service once the next step, or the batch's end, has come.
KINDS = (
    *("down", "throttled", "lost before", "lost after", "late"),
    *("killed before", "killed after", "stopped before", "stopped after"),
)
_STATUS = {"down": 503, "throttled": 429}
T = TypeVar("T")


class Breaking:
    """Breaks the `at`-th call of each step of a batch, once.  calls: by step, how many there were.  faults: that were struck."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls, self.faults = Counter[str](), 0
        self._at, self._kind, self._within, self._gone = -1, "", False, ""
        self._late: tuple[str, Callable[[], Any]] | None = None
        self._step, self._words, self._looks = "", "", 0
        patch.setattr(https, "https_pool", lambda *given, **named: self._pool(https_pool(*given, **named)))
        patch.setattr(https, "MOST_PAUSE_SECONDS", 0.0)
        patch.setattr(statements, "LOOKS_SECONDS", (0.02, 0.05))

    @contextmanager
    def batch(self, at: int, kind: str) -> Iterator[None]:
        """What is called in here is a batch's.  at: -1 for none."""
        self.calls, self.faults, self._at, self._kind, self._within = Counter(), 0, at, kind, True
        try:
            yield
        finally:
            self._within = False
            self.new_process("")

    @property
    def stops(self) -> bool:
        """Whether it ends executions."""
        return self._kind.startswith("stopped")

    @property
    def leaves(self) -> bool:
        """Whether a batch may leave what maintenance takes away: nobody is left who knows of it, or it comes afterwards."""
        return self.stops or self._kind == "late"

    def new_process(self, step: str) -> None:
        """What is called from here on is by another process, which does this step; '' for none."""
        self._gone, self._step = "", step
        if self._late is not None and self._late[0] != step:
            (_, whole), self._late = self._late, None
            with suppress(Exception):  # nobody hears what becomes of it
                Context().run(whole)  # with nobody's grants

    def session(self, whole: Any) -> Any:
        """A session of boto3's as it may break."""
        return _Session(self, whole)

    def call(self, service: str, words: str, whole: Callable[[], T], failing: Callable[[str], T]) -> T:
        """The answer of a call as it may break.

        words: the same for the same call, as of one that looks again and again, of which the first two are counted.
        failing: raises, or answers, what a caller sees of a kind.
        """
        if not self._within:
            return whole()
        if self._gone == service:
            return failing(self._kind)
        self._looks = self._looks + 1 if words == self._words else 1
        self._words = words
        if self._looks > COUNTED_LOOKS:
            return whole()
        self.calls[self._step] += 1
        if self.calls[self._step] - 1 != self._at:
            return whole()
        self.faults += 1
        what, _, when = self._kind.partition(" ")
        if when == "after":
            whole()
        if what in ("killed", "stopped"):
            raise Ended
        if what in _STATUS:
            self._gone = service
        if what == "late":
            self._late = self._step, whole
        return failing(what)

    def _pool(self, pool: Any) -> Any:
        whole = pool.request
        pool.request = lambda *given, **named: self.call(HTTPS, str(given), partial(whole, *given, **named), _answered)
        return pool


class _Session:
    def __init__(self, breaking: Breaking, whole: Any) -> None:
        self._breaking, self._whole = breaking, whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def client(self, service: str, *given: Any, **named: Any) -> Any:
        made = self._whole.client(service, *given, **named)
        asks = made._make_api_call

        def called(operation: str, asked: Mapping[str, Any]) -> Any:
            return self._breaking.call(service, f"{operation} {asked}", partial(asks, operation, asked), partial(_failed, operation))

        made._make_api_call = called
        return made


def _failed(operation: str, what: str) -> Any:
    """As botocore fails."""
    if what == "throttled":
        raise refused("ThrottlingException", operation)
    raise down(operation) if what == "down" else lost(operation)


def _answered(what: str) -> Any:
    """As urllib3 answers."""
    if what not in _STATUS:
        raise urllib3.exceptions.ProtocolError("Connection aborted.")
    return urllib3.HTTPResponse(b"{}", {"Content-Length": "2"}, _STATUS[what])


class _Machine:
    """A slice's steps as a state machine calls them: each in a new process, and again where that has ended or says later."""

    def __init__(self, lake: Lake, breaking: Breaking, execution: str) -> None:
        self.declaration, self.services = lake.declaration, lake.cloud.services(lake.declaration.id)
        self._lake, self._breaking, self._execution = lake, breaking, execution

    def __getattr__(self, name: str) -> Any:
        return partial(self._called, name)

    def _called(self, name: str, event: Mapping[str, Any], context: FakeContext) -> dict[str, Any]:
        given = {"input": event, "owner": self._execution} if name == "plan" else event
        for _ in range(TRIES):
            self._breaking.new_process(name)
            steps: OrganizeSteps = self._lake.steps()
            try:
                return getattr(steps, name)(given, context)  # type: ignore[no-any-return]
            except Ended:
                if self._breaking.stops:
                    raise
            except Exception as error:
                if not isinstance(told(error), RetryLater):
                    raise
        raise AssertionError(f"{name} gets nowhere")


def batch(lake: Lake, flow: str, breaking: Breaking, at: int, kind: str) -> None:
    """The next batch of a flow, with as many executions as it takes. Whatever breaks, no error is the batch's own."""
    event = lake.cloud.event(flow)
    with breaking.batch(at, kind):
        for number in range(TRIES):
            with suppress(Ended, AlreadyCommitted, StaleToken):
                run_batch(_Machine(lake, breaking, f"execution {number}"), event)  # type: ignore[arg-type]
                return
            lake.cloud.clock.advance(minutes=LAPSED_MINUTES)
    raise AssertionError(f"the batch of {flow} gets nowhere")
