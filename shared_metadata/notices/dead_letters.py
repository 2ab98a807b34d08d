"""Words dead letters: what stopped, why, what waits for it, and what to do. Names and causes only, never data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared_metadata.notices.message import block, covering, subject_line
from shared_metadata.program.intervals import to_text

if TYPE_CHECKING:
    from shared_metadata.store.dead_letters import DeadBatch

MOST_NAMES = 25


def dead_remedy(datasets: Sequence[str]) -> str:
    """The command for an operator to type when the cause is gone."""
    return f"remove the cause, then: atoll retry {' '.join(datasets) if len(datasets) <= 3 else '--all'}"


def dead_subject(batches: Sequence[DeadBatch]) -> str:
    """The subject of a message about tables of one batch."""
    more = f" and {len(batches) - 1} more" if len(batches) > 1 else ""
    return subject_line(f"Atoll: {batches[0].dataset}{more} stopped after {batches[0].failures} failures")


def dead_message(batches: Sequence[DeadBatch]) -> str:
    """The message for an operator; the batches are those of one flow and interval, with one cause."""
    first, names = batches[0], [dead.dataset for dead in batches]
    waiting = sorted({name for dead in batches for name in dead.waiting} - set(names))
    letter = first.letter
    lines = [
        (
            f"The batch {first.interval} of {first.flow}{covering(first.covers, ',')} has failed "
            f"{first.failures} times and is not tried again by itself."
        ),
        *block("These stopped:", _some(names)),
        "",
        f"The cause: {first.cause or 'none was recorded'}",
        *([f"The last attempt: {letter.execution}, at {to_text(letter.at.replace(microsecond=0))}"] if letter else []),
        *block("These wait for it; everything else runs on:", _some(waiting)),
        "",
        f"What to do: {dead_remedy(names)}",
        "Nothing is lost meanwhile: the batches that wait are caught up in order, oldest first.",
        f"More: atoll status {names[0]}, atoll logs {first.flow} --errors",
    ]
    return "\n".join(lines)


def _some(names: Sequence[str]) -> list[str]:
    more = len(names) - MOST_NAMES
    return [*names[:MOST_NAMES], *([f"and {more} more: atoll status"] if more > 0 else [])]
