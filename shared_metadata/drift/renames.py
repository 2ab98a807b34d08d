"""Matches vanished columns of a source's table with new ones by type, place, name and values; for reports, never acted on. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from shared_metadata.program.schema import SchemaColumn

SIMILAR = 0.6
VALUES = "values like those it held"  # quoted in the evidence
Place = tuple[str, int]
Alike = Callable[[SchemaColumn, SchemaColumn], bool | None]  # whether a vanished column's values are a new one's


def unknown(gone: SchemaColumn, come: SchemaColumn) -> bool | None:
    """Leaves open whether the values are alike, where they are not compared."""
    return None


def probable_renames(
    before: Sequence[SchemaColumn],
    after: Sequence[SchemaColumn],
    name_of: Callable[[SchemaColumn], str],
    alike: Alike = unknown,
) -> Mapping[str, tuple[str, str]]:
    """Vanished column ▸ (what it probably is now, the evidence), each new column at most once.

    A candidate has the same type and stands where the vanished one stood, or has a similar name; one whose values are known to be
    others is none. The better ones go first.
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
            values = alike(old[gone], new[come]) if same_place or likeness >= SIMILAR else False
            if values is not False:
                same_word = old[gone].source_type == new[come].source_type
                reasons = {
                    "the same type": True,
                    "the same place in the table": same_place,
                    "a similar name": likeness >= SIMILAR,
                    VALUES: values,
                }
                score = same_place + same_word + likeness + bool(values)
                scored.append((score, gone, come, ", ".join(reason for reason, holds in reasons.items() if holds)))
    found: dict[str, tuple[str, str]] = {}
    for _, gone, come, evidence in sorted(scored, key=lambda s: (-s[0], s[1], s[2])):
        if gone not in found and come not in {name for name, _ in found.values()}:
            found[gone] = (come, evidence)
    return found


def _places(names: Sequence[str], kept: set[str]) -> dict[str, set[Place]]:
    """The place of each column that is not kept: its distance behind the last kept one, and before the next."""
    found: dict[str, set[Place]] = {name: set() for name in names if name not in kept}
    for order, mark in ((names, "after "), (list(reversed(names)), "before ")):
        last, distance = "", 0
        for name in order:
            last, distance = (name, 0) if name in kept else (last, distance + 1)
            if name in found:
                found[name].add((mark + last, distance))
    return found
