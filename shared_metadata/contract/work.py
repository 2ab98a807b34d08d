"""One table of a claimed batch, as it travels through a state machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared_metadata.contract.waiting.turn import NO_TURN, Turn
from shared_metadata.program import Flow, Program, Table
from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import Claim


@dataclass(frozen=True)
class Work:
    """One table of a claimed batch, as it travels through the state machine: pointers, never rows.

    turn: of a step that may wait, what its call before has handed on, and the tokens of what it runs elsewhere.
    outgrows: whether a step that needs more than its function has may say so (`tasks.outgrown.Outgrown`) before it has tried.
    """

    flow: Flow
    table: Table
    claim: Claim
    program: Program
    turn: Turn = NO_TURN
    outgrows: bool = False

    @property
    def place(self) -> str:
        """Where in the program errors point to, and which table it is."""
        return f"{self.flow.position}: {self.table.dataset}"

    def to_state(self, **more: Any) -> dict[str, Any]:
        return {
            "flow": self.flow.id,
            "dataset": self.table.dataset,
            "start": to_text(self.claim.interval.start),
            "end": to_text(self.claim.interval.end),
            "token": self.claim.token,
            "program": self.claim.program_version,
            "rerun": self.claim.rerun,
            "entry": self.claim.entry,
            **({"again_until": to_text(self.claim.again_until)} if self.claim.again_until else {}),
            **more,
        }
