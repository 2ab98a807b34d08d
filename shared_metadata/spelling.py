"""Guesses the name that a misspelled one stands for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'did you mean X? Otherwise ' where a known name is close, else ''."""
    folded = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    return f"did you mean {folded[close[0]]}? Otherwise " if close else ""
