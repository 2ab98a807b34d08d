"""Working without the garbage collector where many small objects live until the end of the work."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Syntax trees are many small objects that live until the end: collecting between them only costs time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # all that lives now counts as old, and is not looked through as soon as collecting begins again
        if was_enabled:
            gc.enable()
