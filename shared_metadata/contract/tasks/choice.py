"""Chooses, when a batch is planned, where the steps of a table run: by what the program says, and by what its last batch took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.contract.tasks.run import AUTO, FUNCTION, TASK, run_of
from shared_metadata.contract.tasks.turns import BY
from shared_metadata.state.records import TableState

FUNCTION_SECONDS = 900  # a step's function has no more
NEAR = 0.5  # of them: a batch that took so long leaves the next one room to grow to twice as much


def chosen(options: Mapping[str, Any], table: TableState | None) -> dict[str, Any]:
    """What the table's state carries of it: {'by': {'run': 'task' | 'auto', 'why', …}}; nothing for a function, which is no choice.

    table: where it stands, for 'auto'.
    What 'auto' cannot tell here it tells in the step: that the inputs are more than a function holds, or that it has run out of
    what it has (turns.py).
    """
    run, last = run_of(options), table.last if table else None
    if run == FUNCTION:
        return {}
    if run == TASK:
        return {BY: {"run": TASK, "why": "the program says run = 'task'"}}
    took = (
        f"its last batch took {last.seconds:,.0f} s, and a function has {FUNCTION_SECONDS:,} s" if last else "it is its first batch"
    )
    if last and last.beyond:
        why = f"one of its last batches needed more than a function has; after {last.beyond} more a function is tried again"
        return {BY: {"run": TASK, "why": why, "beyond": last.beyond - 1}}
    if last and last.seconds >= NEAR * FUNCTION_SECONDS:
        return {BY: {"run": TASK, "why": took}}
    return {BY: {"run": AUTO, "why": took}}
