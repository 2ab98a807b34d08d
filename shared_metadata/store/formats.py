"""The format of what is recorded, by number.

The timeline of programs holds the number: whatever begins any work reads the timeline first, so nothing is begun on another format
than its own code knows. A timeline without a number is of format 1. How a table of a former format becomes one of the present:
`upgrade.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.errors import DefinitionError

FIRST, PRESENT = 1, 1
NAME = "format"


def format_of(timeline: Mapping[str, Any]) -> int:
    """The format that the values of a timeline's item tell."""
    return int(timeline.get(NAME, FIRST))


def check(found: int) -> None:
    """Raises DefinitionError where a table is of another format than this code works with."""
    if found < PRESENT:
        raise DefinitionError(
            f"what is recorded has format {found}, and this version of Atoll works with {PRESENT}",
            remedy="`atoll state upgrade` moves it; nothing is begun before",
        )
    if found > PRESENT:
        raise DefinitionError(
            f"what is recorded has format {found}, of a later version of Atoll; this one works with {PRESENT}",
            remedy="install and deploy the version that was here before, or a later one",
        )
