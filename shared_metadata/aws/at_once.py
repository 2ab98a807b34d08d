"""Asks AWS for several things at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

AT_ONCE = 10  # the connections that an SDK client keeps
A = TypeVar("A")
B = TypeVar("B")


def beside_one_another(call: Callable[[A], B], given: Sequence[A], at_once: int = AT_ONCE) -> list[B]:
    """The calls' results, in the order of the arguments; a single one needs no thread. Raises the first call's error."""
    if len(given) <= 1:
        return list(map(call, given))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(call, given))
