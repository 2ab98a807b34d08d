"""The states of all flows as this process read them last: enough to choose flows to look at, as decisions read them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from shared_metadata.state.records import FlowState
from shared_metadata.state.timeline import Programs
from shared_metadata.store.reader import MetadataReader


class KnownStates:
    """Caches states, which others write all the time: a cached one may be old, and is never the ground of a decision."""

    def __init__(self, reader: MetadataReader) -> None:
        self._reader, self._held = reader, dict[str, FlowState]()

    @property
    def held(self) -> Mapping[str, FlowState]:
        """All states that were read so far."""
        return MappingProxyType(self._held)

    def read(self, flows: Iterable[str], programs: Programs | None = None) -> dict[str, FlowState]:
        """Reads these flows' states now. programs: the timeline's, if the caller has them."""
        wanted = sorted(flows)
        found = self._reader.flow_states(wanted, programs) if wanted else {}
        self._held |= found
        return found
