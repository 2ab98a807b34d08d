"""Batches and versions age: what is older than anybody looks back becomes a summary, and a file in the lake.

Each step may be the last that a run takes, and two may run at once. So what readers and claims go by is written before anything is
deleted, and each deletion holds only for an item that is as it was read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from shared_metadata import naming
from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.contract.maintenance import history
from shared_metadata.contract.maintenance.retention import Retention
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program.intervals import from_text
from shared_metadata.state.records import Version
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.aged_records import AgedRecords, Values

ITEMS_AT_ONCE = 500  # in memory, of a kilobyte; their deletions take a few seconds
LAST_SECONDS = 60.0  # of a call, in which no more of them are begun


class Ageing:
    """One run of it. done: how many batches and versions are gone."""

    def __init__(self, services: Services, retention: Retention, deadline: Deadline) -> None:
        self._services, self._retention, self._deadline = services, retention, deadline
        self._records = AgedRecords(services.dynamodb, services.environment.atoll_metadata_table)
        self._now, self.done = services.clock(), Counter[str]()

    @property
    def _short(self) -> bool:
        return self._deadline.seconds_left < LAST_SECONDS

    # -- versions

    def versions(self, dataset: str, before: datetime, keep: timedelta) -> bool:
        """Forgets those before a moment that are not needed; False when the time was too short for all."""
        moments = self._retention.moments(self._retention.horizon(dataset, keep))
        while not self._short:
            known = self._records.versions(dataset, before, ITEMS_AT_ONCE)
            going = outlived(known, moments)
            if not going or not self._forget(dataset, known, going):
                return True
        return False

    def _forget(self, dataset: str, known: Sequence[Version], going: Collection[Version]) -> bool:
        """Whether any is gone. Those that stay are told first what follows them, then all readers that versions are forgotten."""
        before, ends = self._services.reader.forgotten_before(dataset), {version.interval.end for version in going}
        upto = min(version.interval.end for version in known if version.interval.end > max(ends))
        staying = [(v, following) for v, following in pairwise(known) if v.interval.end not in ends and v.interval.end < upto]
        told = [pair for pair in staying if _is_to_be_told(*pair, before)]
        if not self._told(dataset, told, upto):
            return False
        deleted = sum(beside_one_another(self._records.delete_version, list(going)))
        self.done["aged_versions"] += deleted
        return deleted > 0

    def _told(self, dataset: str, pairs: Sequence[tuple[Version, Version]], upto: datetime) -> bool:
        """False where another run, or a batch that is run again, has changed one of them meanwhile."""
        if not all(beside_one_another(lambda pair: self._records.follow(pair[0], pair[1].interval), pairs)):
            return False
        self._records.forget_before(dataset, upto)
        return True

    # -- batches

    def batches(self, flow: str, before: datetime) -> bool:
        """Puts those away that end before a moment and that no worker has; False when the time was too short for all."""
        after = None
        while not self._short:
            page = self._records.tables(flow, before, ITEMS_AT_ONCE, after)
            going = [values for values in page.found if self._is_over(values, before)]
            if going and not self._put_away(flow, going):
                return True
            if page.after is None:
                return self._heads(flow, before)
            after = page.after
        return False

    def _is_over(self, values: Values, before: datetime) -> bool:
        """A lease ends at once with an execution that is given up; its function may go on as long as a lease lasts.

        Rows that a target has refused are found by the record of their batch alone, which stays as long as these do.
        """
        idle_since, pointer = self._now - timedelta(seconds=LEASE_SECONDS), values.get("outcome", {}).get("pointer") or {}
        upto = min(before, self._now - timedelta(days=naming.REJECTED_DAYS)) if pointer.get("rejected") else before
        return from_text(values["end"]) < upto and from_text(values["worker"]["lease_until"]) < idle_since

    def _put_away(self, flow: str, going: Sequence[Values]) -> bool:
        """Writes the lake and the summary, and only then deletes; False where another run has written the summary meanwhile."""
        former = self._services.reader.aged_batches(flow)
        history.keep(self._services, flow, going)
        if not self._records.summarize(flow, former, summary(former, going)):
            return False
        beside_one_another(self._records.delete_table, going)
        return True

    def _heads(self, flow: str, before: datetime) -> bool:
        """What tables of batches shared goes when none of them is left."""
        after = None
        while not self._short:
            page = self._records.heads(flow, before, ITEMS_AT_ONCE, after)
            left = self._starts(flow, page.found) if page.found else set()
            if left is None:
                return False
            going = [values for values in page.found if from_text(values["end"]) < before and values["start"] not in left]
            self.done["aged_batches"] += sum(beside_one_another(self._records.delete_head, going))
            if page.after is None:
                return True
            after = page.after
        return False

    def _starts(self, flow: str, heads: Sequence[Values]) -> set[str] | None:
        """Those of these batches of which tables are recorded; None when the time was too short to tell."""
        since, before = from_text(heads[0]["start"]), from_text(heads[-1]["start"]) + timedelta(seconds=1)
        found, after = set[str](), None
        while not self._short:
            page = self._records.tables(flow, before, ITEMS_AT_ONCE, after, since=since)
            found |= {values["start"] for values in page.found}
            if page.after is None:
                return found
            after = page.after
        return None


def outlived(known: Sequence[Version], moments: Sequence[datetime]) -> list[Version]:
    """Those of a dataset's versions that belong to none of the moments; neither the first one nor the last."""
    ends = [version.interval.end for version in known]
    stay = {ends[bisect_right(ends, moment) - 1] for moment in moments if ends and moment >= ends[0]}
    return [version for version in known[1:-1] if version.interval.end not in stay]


def summary(former: AgedBatches | None, going: Sequence[Values]) -> AgedBatches:
    """The summary with these tables of batches, in order of their starts. A batch is counted once, though it is put away again."""
    starts = sorted({from_text(values["start"]) for values in going})
    through, token = max(from_text(values["end"]) for values in going), max(values["worker"]["token"] for values in going)
    if former is None:
        return AgedBatches(through, token, len(starts), starts[0], starts[-1])
    new = sum(start > former.counted for start in starts)
    return replace(
        former,
        through=max(former.through, through),
        token=max(former.token, token),
        batches=former.batches + new,
        first=min(former.first, starts[0]),
        counted=max(former.counted, starts[-1]),
    )


def _is_to_be_told(version: Version, following: Version, before: datetime | None) -> bool:
    """A version in a time in which versions are forgotten, that does not know what followed it: that is known no more."""
    if version.followed_by:
        return following.interval.end < version.followed_by.end
    return before is None or version.interval.end >= before
