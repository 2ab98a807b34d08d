"""Shows that long work goes on: a spinner on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Yields what to call with each new line of what is going on."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        last = ""

        def say(text: str) -> None:
            nonlocal last
            if text != last:
                console.print(text, soft_wrap=True)
            last = text

        yield say
        return
    with console.status(title) as spinner:
        yield lambda text: spinner.update(f"{title}: {text}")
