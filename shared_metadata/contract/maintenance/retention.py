"""Which versions of a dataset may still be read: by readers that are behind, by batches that are run again, by flows to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared_metadata.program import Flow
from shared_metadata.program.intervals import floor
from shared_metadata.state.entries import BEGINNING
from shared_metadata.state.records import Version
from shared_metadata.store.reader import MetadataReader

HOUR_SECONDS, DAY_SECONDS = 3600, 86400
# A new flow begins with the interval that ended last, a week long at most: it needs its inputs as of that moment.
HOURS, DAYS = 24, 8


class Retention:
    """Retention as of one moment, in which programs and states are read once."""

    def __init__(self, reader: MetadataReader, now: datetime) -> None:
        self._reader, self._now = reader, now
        self.programs = reader.programs()
        self._states = reader.flow_states(self.programs.flow_ids, self.programs)

    def through(self, flow: str, dataset: str) -> datetime | None:
        """The moment up to which all batches of a dataset are made; None when it has no state yet."""
        state = self._states[flow].tables.get(dataset) if flow in self._states else None
        return self.programs.progress(flow, dataset, state).through if state else None

    def lengths(self, flow: str) -> frozenset[int]:
        """The lengths of its batches in seconds, in all programs of which batches may be left to make."""
        known = (program.flows[flow] for _, program in self.programs.entries if flow in program.flows)
        return frozenset(one.interval_seconds for one in known)

    def begins(self, flow: str, dataset: str) -> datetime | None:
        """The start of its first batch, where that is known."""
        state = self._states[flow].tables.get(dataset) if flow in self._states else None
        return state.begins if state else None

    def horizon(self, dataset: str, keep: timedelta) -> datetime:
        """All versions that belong to later moments may still be read, and the one that belongs to this moment."""
        return min([self._now - keep, *self._readers(dataset)])

    def kept(self, dataset: str, keep: timedelta) -> list[Version]:
        """Every version from the horizon on; before it those of the last full hours and days."""
        horizon = self.horizon(dataset, keep)
        before = (self._reader.last_recorded(dataset, moment) for moment in self.moments(horizon))
        return [*{v.interval.end: v for v in before if v}.values(), *self._reader.versions_after(dataset, horizon)]

    def moments(self, horizon: datetime) -> list[datetime]:
        """Those up to the horizon of which the versions are kept: the horizon itself, and the last full hours and days."""
        return [horizon, *(moment for moment in self._round_moments() if moment < horizon)]

    def ages_before(self, flow: str, keep: timedelta) -> dict[str, datetime]:
        """Each dataset of a flow of which batches are left to make ▸ what ended before then is not looked at any more.

        No batch that has brought a dataset to where it stands is among it.
        """
        found = {}
        for dataset in self.programs.datasets(flow):
            state = self._states[flow].tables.get(dataset) if flow in self._states else None
            if state and not self.programs.is_over(flow, dataset, state):
                through = self.programs.progress(flow, dataset, state).through
                found[dataset] = min(self.horizon(dataset, keep), through, state.watermark)
        return found

    def published(self, result: str) -> list[str]:
        """The manifests of a result that its targets hold now; the next comparison starts from them."""
        found = (self._reader.latest_version(dataset) for _, dataset in self.reading(result))
        return [version.pointer["manifest"] for version in found if version and "manifest" in version.pointer]

    def _readers(self, dataset: str) -> Iterator[datetime]:
        """The earliest moment that each reader may still read; the beginning of time if its state is lost."""
        for flow, name in self.reading(dataset):
            through = self.through(flow.id, name)
            yield through - timedelta(seconds=flow.tolerates.get(dataset, 0)) if through else BEGINNING

    def reading(self, dataset: str) -> Iterator[tuple[Flow, str]]:
        """The flows that read it in any program of which batches may be left to make, with what they make."""
        for _, program in self.programs.entries:
            for flow, table in self.programs.readers(program, dataset):
                state = self._states[flow.id].tables.get(table.dataset) if flow.id in self._states else None
                over = state is not None and self.programs.is_over(flow.id, table.dataset, state)
                if not over:
                    yield flow, table.dataset

    def _round_moments(self) -> Iterator[datetime]:
        for seconds, number in ((HOUR_SECONDS, HOURS), (DAY_SECONDS, DAYS)):
            last = floor(self._now, seconds)
            yield from (last - timedelta(seconds=seconds * back) for back in range(number))
