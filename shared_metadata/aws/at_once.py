"""Asks AWS for several things at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

AT_ONCE = 10  # what an SDK client keeps connections for
A = TypeVar("A")
B = TypeVar("B")


def beside_one_another(call: Callable[[A], B], given: Sequence[A]) -> list[B]:
    """The results of the calls, in the order of what is given; a single one needs no thread. Raises what the first of them raises."""
    if len(given) <= 1:
        return list(map(call, given))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, given))
