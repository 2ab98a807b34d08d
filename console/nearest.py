"""The error for an unknown name, with the nearest known one."""

from __future__ import annotations

from collections.abc import Iterable

from console.again import again
from language.text.diagnostics import did_you_mean
from shared_metadata.errors import InputError


def unknown(what: str, name: str, known: Iterable[str], remedy: str = "") -> InputError:
    """The error. what: as in 'the active program has no dataset'."""
    listed = remedy or f"`{again('atoll status')}` lists them all"
    return InputError(f"{what} {name!r}", remedy=did_you_mean(name, known) + listed)
