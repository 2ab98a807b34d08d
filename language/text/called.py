"""Mistakes within functions: one that each call of a function shows is told once, with the places of the calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from language.text.diagnostics import Diagnostic

SHOWN = 3  # calls that are named


def together(diagnostics: Iterable[Diagnostic]) -> set[Diagnostic]:
    """Each mistake once; of those that differ in their calls alone one, with all calls in the order of their places."""
    found: dict[Diagnostic, set[str]] = {}
    for diagnostic in diagnostics:
        found.setdefault(dataclasses.replace(diagnostic, called=()), set()).update(diagnostic.called)
    return {dataclasses.replace(diagnostic, called=tuple(sorted(calls))) for diagnostic, calls in found.items()}


def said(called: tuple[str, ...]) -> str:
    """The places of calls, as a message names them."""
    more = len(called) - SHOWN
    return ", ".join(called[:SHOWN]) + (f" and {more} more" if more > 0 else "")
