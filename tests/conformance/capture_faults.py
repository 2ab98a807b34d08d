"""Whatever a captured batch's function dies at, before it or after, the next attempt loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from shared_metadata.errors import RetryLater
from tests.conformance.capturing import CapturingSource

# Patches the driver so that what a session of the slice's does is done by `Striking.does`.
Patched = Callable[["Striking"], AbstractContextManager[None]]


class Striking:
    """Counts what the slice's sessions do, and ends the process at one of them, as far as the test goes.

    at: which of them, None for none.  after: whether the server has done it.
    """

    def __init__(self, at: int | None, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0

    def does(self, it: Callable[[], Any], close: Callable[[], None]) -> Any:
        self.count += 1
        if self.count - 1 != self.at:
            return it()
        if self.after:
            it()
        close()
        raise KeyboardInterrupt  # what no handler can catch and record


def struck(capturing: CapturingSource, patched: Patched, at: int | None, *, after: bool) -> int:
    """Runs a batch that dies there; how many steps it came to."""
    striking = Striking(at, after=after)
    with patched(striking):
        try:
            capturing.run()
        except (KeyboardInterrupt, RetryLater):  # the latter of what settles a session in the end, and finds it gone
            assert at is not None
    return striking.count


def places(most: int) -> Iterator[tuple[int, bool]]:
    yield from ((at, after) for at in range(most) for after in (False, True))
