"""Asks the slices which batches their warehouses and targets hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared_metadata.contract.landed import Landed
from shared_metadata.errors import AtollError
from shared_metadata.program import Kind, Program
from shared_metadata.state.timeline import Programs

LANDING = (Kind.LOAD, Kind.VIEW, Kind.PUBLISH)

# A slice and the event for its `landed` function ▸ its answer; raises AtollError where there is none.
Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


@dataclass
class Asked:
    """Asks slices which batches have landed. silent: slice and place ▸ why it could not answer.

    landing: the slices that have the function.  asking: called before each call.
    """

    call: Call
    landing: Collection[str]
    asking: Callable[[str], None] = lambda _: None
    answered: set[str] = field(default_factory=set)
    silent: dict[str, AtollError] = field(default_factory=dict)

    def __call__(self, programs: Programs) -> dict[str, list[Landed]]:
        """Returns dataset of the active program ▸ its newest batch there, if any."""
        program = programs.active(datetime.now(UTC))[1]
        found: dict[str, list[Landed]] = {}
        for (slice_id, name), flows in self._groups(program).items():
            title = f"{slice_id}, {name}"
            self.asking(f"asking {title}")
            try:
                found |= self._ask(program, slice_id, name, flows)
                self.answered.add(title)
            except AtollError as error:
                self.silent[title] = error
        return found

    def plain(self) -> dict[str, Any]:
        """The answers as plain values for JSON."""
        silent = {title: {"message": error.what, "help": error.remedy} for title, error in self.silent.items()}
        return {"compared_with": sorted(self.answered), "not_compared_with": silent}

    def _ask(self, program: Program, slice_id: str, name: str, flows: dict[str, str]) -> dict[str, list[Landed]]:
        place = program.warehouses[name] if slice_id.startswith("organize.") else program.connections[name]
        event = {"of": {"name": name, "system": place.system, "options": dict(place.options)}, "flows": flows}
        answer = self.call(slice_id, event)["landed"]
        return {dataset: [Landed.from_plain(one)] if one else [] for dataset, one in answer.items()}

    def _groups(self, program: Program) -> dict[tuple[str, str], dict[str, str]]:
        """Slice and its warehouse or connection ▸ dataset ▸ flow."""
        found: dict[tuple[str, str], dict[str, str]] = {}
        for flow in program.flows.values():
            if flow.kind in LANDING and flow.slice_id in self.landing:
                name = flow.connection if flow.kind == Kind.PUBLISH else flow.warehouse
                found.setdefault((flow.slice_id, name), {}).update({table.dataset: flow.id for table in flow.tables})
        return found
