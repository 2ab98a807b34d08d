"""Parts of a flow: one with many tables runs in parts, each an execution of its own.

So an execution's input, plan and number of events do not grow with the number of tables, and several run concurrently. A part is
identified by its number, because a name for each table would be too long for an execution's input.
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
    """The name of a part in an execution's input; nothing where the flow has a single one."""
    return {"part": number} if len(flow.tables) > TABLES_A_PART else {}


def asked_for(flow: Flow, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """The datasets that an execution's input names. Raises IndexError for a part that the flow does not have."""
    if asked.get("datasets"):
        return tuple(asked["datasets"])
    return parts(flow)[asked["part"]] if "part" in asked else tuple(table.dataset for table in flow.tables)
