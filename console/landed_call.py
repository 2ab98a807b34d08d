"""Asks the slices which batches their warehouses and targets hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from console.function_call import call
from console.target import Target
from shared_metadata.contract.landed import STEP, Landed
from shared_metadata.errors import AtollError
from shared_metadata.program import Kind, Program
from shared_metadata.timeline import Programs
from slices.registry import installed

LANDING = (Kind.LOAD, Kind.VIEW, Kind.PUBLISH)
PROGRAM_FILE = "program.sql"


@dataclass
class Asked:
    """Whom was asked, and who could not answer: slice and place ▸ why. asking: told before each call."""

    target: Target
    asking: Callable[[str], None]
    answered: set[str] = field(default_factory=set)
    silent: dict[str, AtollError] = field(default_factory=dict)

    def __call__(self, programs: Programs) -> dict[str, list[Landed]]:
        """Dataset of the active program ▸ its newest batch there, if any."""
        program = programs.active(datetime.now(UTC))[1]
        found: dict[str, list[Landed]] = {}
        for (slice_id, name), flows in _groups(program).items():
            title = f"{slice_id}, {name}"
            self.asking(f"asking {title}")
            try:
                found |= self._ask(program, slice_id, name, flows)
                self.answered.add(title)
            except AtollError as error:
                self.silent[title] = error
        return found

    def plain(self) -> dict[str, object]:
        """For `--json`."""
        silent = {title: {"message": error.what, "help": error.remedy} for title, error in self.silent.items()}
        return {"compared_with": sorted(self.answered), "not_compared_with": silent}

    def _ask(self, program: Program, slice_id: str, name: str, flows: dict[str, str]) -> dict[str, list[Landed]]:
        slice_ = installed()[slice_id]
        place = program.warehouses[name] if slice_.stage == "organize" else program.connections[name]
        event = {"of": {"name": name, "system": place.system, "options": dict(place.options)}, "flows": flows}
        answer = call(self.target, slice_, STEP, event, PROGRAM_FILE)["landed"]
        return {dataset: [Landed.from_plain(one)] if one else [] for dataset, one in answer.items()}


def _groups(program: Program) -> dict[tuple[str, str], dict[str, str]]:
    """Slice and its warehouse or connection ▸ dataset ▸ flow."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for flow in program.flows.values():
        if flow.kind in LANDING and STEP in installed()[flow.slice_id].steps:
            name = flow.connection if flow.kind == Kind.PUBLISH else flow.warehouse
            found.setdefault((flow.slice_id, name), {}).update({table.dataset: flow.id for table in flow.tables})
    return found
