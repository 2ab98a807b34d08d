"""Which new column of a source's table a vanished one probably is now: told by type, place and name; never acted upon. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from shared_metadata.records import SchemaColumn

SIMILAR = 0.6
Place = tuple[str, int]


def probable_renames(
    before: Sequence[SchemaColumn], after: Sequence[SchemaColumn], name_of: Callable[[SchemaColumn], str]
) -> Mapping[str, tuple[str, str]]:
    """Vanished column ▸ (what it probably is now, the evidence), each new column at most once.

    A candidate has the same type and stands where the vanished one stood, or has a similar name; the better ones go first.
    """
    old, new = {name_of(c): c for c in before}, {name_of(c): c for c in after}
    kept = old.keys() & new.keys()
    old_places, new_places = _places(list(old), kept), _places(list(new), kept)
    scored = []
    for gone in old.keys() - kept:
        for come in new.keys() - kept:
            if old[gone].type != new[come].type:
                continue
            same_place = bool(old_places[gone] & new_places[come])
            likeness = difflib.SequenceMatcher(None, gone.lower(), come.lower()).ratio()
            if same_place or likeness >= SIMILAR:
                same_word = old[gone].source_type == new[come].source_type
                scored.append((same_place + same_word + likeness, same_place, likeness >= SIMILAR, gone, come))
    found: dict[str, tuple[str, str]] = {}
    for _, same_place, similar, gone, come in sorted(scored, key=lambda s: (-s[0], s[3], s[4])):
        if gone not in found and come not in {name for name, _ in found.values()}:
            reasons = ["the same type", *["the same place in the table"] * same_place, *["a similar name"] * similar]
            found[gone] = (come, ", ".join(reasons))
    return found


def _places(names: Sequence[str], kept: set[str]) -> dict[str, set[Place]]:
    """Where each column that is not kept stands: so many behind the last kept one, and so many before the next."""
    found: dict[str, set[Place]] = {name: set() for name in names if name not in kept}
    for order, mark in ((names, "after "), (list(reversed(names)), "before ")):
        last, distance = "", 0
        for name in order:
            last, distance = (name, 0) if name in kept else (last, distance + 1)
            if name in found:
                found[name].add((mark + last, distance))
    return found
