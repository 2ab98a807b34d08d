"""Shows the progress of long work: a spinner on a terminal, a plain line now and then elsewhere, always on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUIET_SECONDS = 3.0  # seconds between two lines where there is no terminal


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Yields a function to call with each new line of progress."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        last, said_at = "", 0.0

        def say(text: str) -> None:
            nonlocal last, said_at
            if text != last and time.monotonic() - said_at >= QUIET_SECONDS:
                console.print(text, soft_wrap=True)
                last, said_at = text, time.monotonic()

        yield say
        return
    with console.status(title) as spinner:
        yield lambda text: spinner.update(f"{title}: {text}")
