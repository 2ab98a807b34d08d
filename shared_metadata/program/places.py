"""A query's text with places: where a slice puts its own words for datasets and for the bounds of a batch, and needs no compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

BATCH_START, BATCH_END = "batch_start", "batch_end"


@dataclass(frozen=True)
class Place:
    """[start, end) of a text, in characters, and what stands there: a dataset's name, BATCH_START or BATCH_END."""

    start: int
    end: int
    means: str


def filled(text: str, places: Sequence[Place], words: Mapping[str, str], spelled: Callable[[str], str] = str) -> str:
    """The text with a slice's words at its places. Raises KeyError for one that is left out.

    words: by what a place means.  spelled: writes what stands between them as the slice's engine reads it.
    """
    pieces, done = list[str](), 0
    for place in sorted(places, key=lambda place: place.start):
        pieces += spelled(text[done : place.start]), words[place.means]
        done = place.end
    return "".join([*pieces, spelled(text[done:])])
