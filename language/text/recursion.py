"""How deep recursion may go: compiled sqlglot overflows the C stack where Python's limit was raised; DuckDB bounds its own trees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_FRAMES = 2000  # sqlglot's compiled parser takes some kilobytes a frame, of the 8 MB that a thread usually has


OF_DUCKDB = 20_000  # frames for a tree of DuckDB's, which refuses more than 1,000 expressions in each other


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raises Python's recursion limit for a while."""
    former = sys.getrecursionlimit()
    sys.setrecursionlimit(max(former, OF_DUCKDB))
    try:
        yield
    finally:
        sys.setrecursionlimit(former)


@contextmanager
def bounded_recursion() -> Iterator[None]:
    """Lowers Python's recursion limit for a while; a limit that is lower already stays."""
    former = sys.getrecursionlimit()
    sys.setrecursionlimit(min(former, SAFE_FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(former)
