"""Whatever a captured batch's function dies at, before it or after, the next attempt loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared_metadata.errors import RetryLater
from tests.conformance.capturing import CapturingSource
from tests.conformance.fixtures import FakeContext


class Striking:
    """Counts what the slice's sessions do, and ends the process at one of them, as far as the test goes.

    at: which of them, None for none.  after: whether the server has done it.  lost: what the driver says where the process lives on,
    and has lost its connection; None for the process's end.
    """

    def __init__(self, at: int | None, *, after: bool, lost: Exception | None = None) -> None:
        self.at, self.after, self.lost, self.count = at, after, lost, 0

    def does(self, it: Callable[[], Any], close: Callable[[], None]) -> Any:
        self.count += 1
        if self.count - 1 != self.at:
            return it()
        if self.after:
            it()
        close()
        raise self.lost or KeyboardInterrupt  # the latter no handler can catch and record


def struck(capturing: CapturingSource, at: int | None, *, after: bool = False, lost: bool = False, seconds: int = 900) -> int:
    """Runs a batch that breaks there; how many steps it came to. What was lost is worth another try, and never anybody's mistake.

    seconds: of a call of extract.
    """
    striking = Striking(at, after=after, lost=capturing.lost() if lost else None)
    with capturing.striking(striking):
        try:
            run = capturing.run(record_errors=True, context=lambda step: FakeContext(seconds if step == "extract" else 900))
            assert at is not None or not (run.errors or run.planned["failed"])
            assert all(isinstance(error, RetryLater) for error in run.errors.values()), run.errors
        except (KeyboardInterrupt, RetryLater):  # the latter of what settles a session in the end, and finds it gone
            assert at is not None
    return striking.count


def places(most: int) -> Iterator[tuple[int, bool, bool]]:
    """As `struck` takes them."""
    yield from ((at, after, lost) for at in range(most) for after in (False, True) for lost in (False, True))
