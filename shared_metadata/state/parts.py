"""Which tables of a flow one execution takes: a flow of many is made in parts, each an execution of its own.

So neither what an execution starts with and plans, nor how many events it has, grows with the number of tables, and several work
beside one another. A part is told by its number: a name a table would be too much for an input of an execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.program import Flow

# A plan has some 400 bytes a table, and may have 262,144; a table takes some 25 events of an execution's 25,000:
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
TABLES_A_PART = 200


def parts(flow: Flow) -> list[tuple[str, ...]]:
    """The datasets of each part, in the order of their names."""
    names = sorted(table.dataset for table in flow.tables)
    return [tuple(names[at : at + TABLES_A_PART]) for at in range(0, len(names), TABLES_A_PART)]


def part_of(flow: Flow) -> dict[str, int]:
    """Dataset ▸ the number of its part."""
    return {dataset: number for number, names in enumerate(parts(flow)) for dataset in names}


def input_of(flow: Flow, number: int) -> dict[str, int]:
    """How an execution's input names a part; not at all where the flow has no other."""
    return {"part": number} if len(flow.tables) > TABLES_A_PART else {}


def asked_for(flow: Flow, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """The datasets that an execution's input names. Raises IndexError for a part that the flow does not have."""
    if asked.get("datasets"):
        return tuple(asked["datasets"])
    return parts(flow)[asked["part"]] if "part" in asked else tuple(table.dataset for table in flow.tables)
