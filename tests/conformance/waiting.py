"""Waiting, for the suites of all stages: slices whose steps wait though they need not, and what every service must do that statements
are given to (waiting.statements.Engine)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.waiting.statements import Engine, Look, Status
from shared_metadata.contract.waiting.turn import NotYet, Turn

STEPS = {
    "collect": ("extract",),
    "organize": ("load", "refresh", "check", "commit"),
    "harness": ("diff", "publish"),
}
HANDED_ON = {"extract": 0, "publish": 2}  # which of a method's arguments, after the first, is its own resume token
MOST_LOOKS = 1000


def waiting(declaration: Slice) -> Slice:
    """The same slice as one all of whose steps may wait."""
    return replace(declaration, waits=(*STEPS[declaration.stage], "commit"))


def slowed(opens: Callable[..., Any], stage: str, looks: int) -> Callable[..., Any]:
    """What opens a source, driver or target each of whose steps is called in vain so often before it does its work."""
    return lambda *given: Slow(opens(*given), STEPS[stage], looks)


class Slow:
    """Hands on how often it was looked at, and the token with which the step itself is resumed."""

    def __init__(self, inner: Any, steps: tuple[str, ...], looks: int) -> None:
        self._inner, self._steps, self._looks = inner, steps, looks

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return self._slow(name, method) if name in self._steps else method

    def _slow(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(about: Any, *given: Any) -> Any:
            known = dict(about.turn.resume or {"looked": 0, "inner": given[HANDED_ON[name]] if name in HANDED_ON else None})
            if known["looked"] < self._looks:
                raise NotYet(f"{name} of a slow slice", {**known, "looked": known["looked"] + 1}, limit_seconds=6 * 3600)
            arguments = list(given)
            if name in HANDED_ON:
                arguments[HANDED_ON[name]] = known["inner"]
            return method(replace(about, turn=replace(about.turn, resume=None)), *arguments)

        return call


class EngineUnderTest(Protocol):
    """What a slice's tests tell of the service that it gives statements to.

    slow: a statement that is not done when it is looked at first.  broken: one that fails, by `reason`.
    """

    engine: Engine
    slow: str
    broken: str
    reason: str

    def submitted(self) -> int:
        """How many statements the service was given, by whomever."""
        ...

    def cancelled_by_an_administrator(self, id: str) -> None: ...


class EngineConformance:
    """Inherit it, and give a fixture `elsewhere`."""

    def test_a_statement_is_started_once_under_its_token(self, elsewhere: EngineUnderTest) -> None:
        first, again = (elsewhere.engine.submit(elsewhere.slow, token("one")) for _ in range(2))
        assert (first, elsewhere.submitted()) == (again, 1)

    def test_another_token_is_another_statement(self, elsewhere: EngineUnderTest) -> None:
        first, other = (elsewhere.engine.submit(elsewhere.slow, token(name)) for name in ("one", "two"))
        assert first != other and elsewhere.submitted() == 2

    def test_a_statement_runs_and_is_then_done_for_good(self, elsewhere: EngineUnderTest) -> None:
        identity = elsewhere.engine.submit(elsewhere.slow, token("one"))
        assert elsewhere.engine.look(identity).status in (Status.WAITS, Status.RUNS)
        done = ended(elsewhere.engine, identity)
        assert done.status == Status.DONE and done.queue_seconds >= 0 and done.run_seconds >= 0
        assert elsewhere.engine.look(identity).status == Status.DONE
        assert elsewhere.engine.submit(elsewhere.slow, token("one")) == identity

    def test_a_statement_that_fails_says_why(self, elsewhere: EngineUnderTest) -> None:
        failed = ended(elsewhere.engine, elsewhere.engine.submit(elsewhere.broken, token("one")))
        assert failed.status == Status.FAILED and not failed.transient and elsewhere.reason in failed.reason

    def test_a_statement_is_cancelled_and_one_that_is_done_stays_done(self, elsewhere: EngineUnderTest) -> None:
        cancelled, done = (elsewhere.engine.submit(elsewhere.slow, token(name)) for name in ("one", "two"))
        elsewhere.engine.cancel(cancelled)
        assert ended(elsewhere.engine, cancelled).status == Status.CANCELLED
        ended(elsewhere.engine, done)
        elsewhere.engine.cancel(done)
        assert elsewhere.engine.look(done).status == Status.DONE

    def test_what_an_administrator_cancels_is_cancelled_and_not_failed(self, elsewhere: EngineUnderTest) -> None:
        identity = elsewhere.engine.submit(elsewhere.slow, token("one"))
        elsewhere.cancelled_by_an_administrator(identity)
        assert ended(elsewhere.engine, identity).status == Status.CANCELLED


def token(name: str) -> str:
    return Turn("load", "conformance").token(name)


def ended(engine: Engine, identity: str) -> Look:
    for _ in range(MOST_LOOKS):
        if (look := engine.look(identity)).status not in (Status.WAITS, Status.RUNS):
            return look
    raise AssertionError("the statement does not end")
