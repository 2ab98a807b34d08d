"""Finds what a target refuses among what it takes, by halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def refused(first: int, end: int, attempt: Callable[[int, int], str]) -> Iterator[tuple[int, str]]:
    """Those of [first, end) that are refused, each with why; all others are accepted.

    attempt: tries a range: '' when it is accepted, else why all of it is refused.
    """
    ranges = [(first, end)] if first < end else []
    while ranges:
        first, end = ranges.pop()
        if not (why := attempt(first, end)):
            continue
        if end - first == 1:
            yield first, why
            continue
        middle = (first + end) // 2
        ranges += [(middle, end), (first, middle)]
