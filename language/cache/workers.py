"""Compiles a large program in several processes, which share their cache entries.

So the result is that of one process. What cannot be kept, a statement with a mistake, each process does by itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from language.cache.statements import Memo

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SHARE = 50_000  # characters of a program at least, for which it pays to start a process
Result = TypeVar("Result")


class Crew:
    """Processes that do the same, each with its own share first; alone it is this process."""

    def __init__(
        self, memo: Memo | None = None, count: int = 1, number: int = 0, links: Sequence[Connection] = (), others: Sequence[int] = ()
    ) -> None:
        """number: of this process, 0 of the first.  links: to the first, or of the first to all `others`, which are process ids."""
        self._memo, self.count, self._number, self._links, self._others = memo, count, number, list(links), others

    def each(self, numbers: Sequence[int], work: Callable[[int], Result]) -> list[Result]:
        """`work` of each number; it asks the memo first, and lets it know of what it did. None needs another's result."""
        if self.count == 1 or self._memo is None:
            return [work(number) for number in numbers]
        done = {number: work(number) for number in self.share(numbers)}
        for news in self._exchange(self._memo.news()):
            self._memo.learn(news)
        return [done[number] if number in done else work(number) for number in numbers]

    def share(self, numbers: Iterable[int]) -> Sequence[int]:
        """What this process does of them first: always the same, so that it knows what it found out about a number before."""
        return [number for number in numbers if number % self.count == self._number]

    def leave(self) -> None:
        """Only the first process goes on."""
        if self._number:
            os._exit(0)

    def end(self) -> None:
        """Waits for the other processes, which have left by now or do when no process is linked to them."""
        self.leave()
        for link in self._links:
            link.close()
        for process in self._others:
            os.waitpid(process, 0)

    def _exchange(self, news: bytes) -> list[bytes]:
        """What the others have found out; of those that have died nothing."""
        if self._number:
            self._links[0].send_bytes(news)
            told: list[bytes] = self._links[0].recv()
            return told
        found = [news]
        for link in list(self._links):
            try:
                found.append(link.recv_bytes())
            except (EOFError, OSError):
                self._links.remove(link)
        for link in self._links:
            with suppress(OSError):
                link.send(found)
        return found[1:]


ALONE = Crew()


@contextmanager
def crew_for(size: int, memo: Memo | None) -> Iterator[Crew]:
    """The processes that pay for a program of `size` characters of which nothing is known yet; they end with the block."""
    count = min(processors(), size // SHARE) if memo is not None and memo.is_empty else 1
    crew = _forked(memo, count) if count > 1 else ALONE
    try:
        yield crew
    finally:
        crew.end()  # also when the first one has ended


def _forked(memo: Memo | None, count: int) -> Crew:
    import multiprocessing  # whose import costs, and most compilations need it not

    links: list[Connection] = []
    others: list[int] = []
    for number in range(1, count):
        ours, theirs = multiprocessing.Pipe()
        process = os.fork()
        if not process:
            for link in (*links, ours):
                link.close()
            return Crew(memo, count, number, [theirs])
        theirs.close()
        links.append(ours)
        others.append(process)
    return Crew(memo, count, 0, links, others)


def processors() -> int:
    """How many processes may work at once: one where forking is not safe, on macOS and beside threads."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" and threading.active_count() == 1 else 1
