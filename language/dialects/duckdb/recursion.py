"""How deep recursion may go over DuckDB's trees, which it bounds itself: it refuses more than 1,000 expressions in each other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = 20_000


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raises Python's recursion limit for a while."""
    former = sys.getrecursionlimit()
    sys.setrecursionlimit(max(former, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(former)
