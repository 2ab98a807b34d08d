"""How an example shows what it does: a line for each step, with what is said meanwhile and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from shared_metadata.errors import AtollError

QUIET_SECONDS = 3.0
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def tell(error: AtollError) -> None:
    console.print(f"[red]error:[/] {escape(error.what)}" + (f"\n help: {escape(error.remedy)}" if error.remedy else ""))


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Shows a title with what is said meanwhile, and at the end how long it took."""
    started = shown_at = time.monotonic()
    last = ""

    def say(text: str) -> None:
        nonlocal last, shown_at
        changed, last = text.strip() != last, text.strip()
        if isinstance(status, Status):
            status.update(f"{title}  [dim]{escape(last[:90])}[/]")
        elif changed and time.monotonic() - shown_at > QUIET_SECONDS:
            print(f"    {last[:110]}", flush=True)
            shown_at = time.monotonic()

    status = console.status(title) if console.is_terminal else None
    if status:
        status.start()
    try:
        yield say
    except BaseException:
        console.print(f"[red]✗[/] {title}")
        raise
    finally:
        if status:
            status.stop()
    console.print(f"[green]✓[/] {title}  [dim]{time.monotonic() - started:.1f} s[/]" + (f"  {escape(last[:90])}" if last else ""))
