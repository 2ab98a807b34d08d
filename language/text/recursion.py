"""How deep recursion may go: compiled sqlglot overflows the C stack where Python's limit was raised."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_FRAMES = 2000  # sqlglot's compiled parser takes some kilobytes a frame, of the 8 MB that a thread usually has


@contextmanager
def bounded_recursion() -> Iterator[None]:
    """Lowers Python's recursion limit for a while; a limit that is lower already stays."""
    former = sys.getrecursionlimit()
    sys.setrecursionlimit(min(former, SAFE_FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(former)
