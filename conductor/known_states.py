"""The states of all flows as this process has read them last: enough to know whom to look at, since whoever decides reads again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from shared_metadata.state.records import FlowState
from shared_metadata.state.timeline import Programs
from shared_metadata.store.reader import MetadataReader


class KnownStates:
    """Others write these states all the time. One that is held here may be old, and is never the ground of a decision."""

    def __init__(self, reader: MetadataReader) -> None:
        self._reader, self._held = reader, dict[str, FlowState]()

    @property
    def held(self) -> Mapping[str, FlowState]:
        """All that were read so far."""
        return MappingProxyType(self._held)

    def read(self, flows: Iterable[str], programs: Programs | None = None) -> dict[str, FlowState]:
        """These as they are now. programs: of the timeline, for who has them."""
        wanted = sorted(flows)
        found = self._reader.flow_states(wanted, programs) if wanted else {}
        self._held |= found
        return found
