"""The format of the metadata, by number.

The timeline of programs holds the number: all work begins with reading the timeline, so none begins on a format that its code does
not know. A timeline without a number has format 1. How a table of a former format becomes one of the present: `upgrade.py`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from shared_metadata.errors import DefinitionError

FIRST, PRESENT = 1, 1
NAME = "format"


def format_of(timeline: Mapping[str, Any]) -> int:
    """The format in a timeline's item."""
    return int(timeline.get(NAME, FIRST))


def check(found: int) -> None:
    """Raises DefinitionError where a table's format is not this code's."""
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


def schema_json(schema: Any) -> str:
    """A schema as the text that is stored and compared."""
    return json.dumps(dataclasses.asdict(schema), sort_keys=True)
