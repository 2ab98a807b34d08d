"""Reads the versions of datasets: which one belongs to a moment, and which schema it has."""

from __future__ import annotations

from datetime import UTC, datetime

from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import SchemaVersion, Version
from shared_metadata.store import items, keys
from shared_metadata.store.aged import covered_by_forgotten, forgotten, stands
from shared_metadata.store.table_reader import TableReader


class VersionReader(TableReader):
    """Raises DefinitionError, of whatever moment it is asked, where the version that belongs to it is forgotten."""

    def version_at(self, dataset: str, moment: datetime) -> Version | None:
        """The version of `dataset` that belongs to `moment`: the last made by a batch that ends at or before it.

        Raises DefinitionError where that one is forgotten.
        """
        return self._known(dataset, moment, self.last_recorded(dataset, moment))

    def covering_version(self, dataset: str, moment: datetime) -> Version | None:
        """The version as in `version_at`, but for a moment inside a batch of several intervals the version that this batch made."""
        found = self.last_recorded(dataset, moment)
        if found and found.interval.end == moment:
            return found
        later = self._version(dataset, _after(dataset, moment)["sk"], "VERSION#~")
        found = self._known(dataset, moment, found)
        if covered_by_forgotten(found, later, moment):
            raise forgotten(dataset, moment, self.forgotten_before(dataset) or moment)
        return later if later and later.interval.start < moment else found

    def first_version_within(self, dataset: str, interval: Interval) -> Version | None:
        """The oldest version of those made by batches that end after an interval's start and not after its end."""
        found = self._version(dataset, _after(dataset, interval.start)["sk"], keys.version(dataset, interval.end)["sk"])
        standing = self.version_at(dataset, interval.start)
        following = standing.followed_by if standing else None
        if following and following.end <= interval.end and (found is None or found.interval.end > following.end):
            raise forgotten(dataset, following.end, self.forgotten_before(dataset) or interval.end)
        return found

    def next_made(self, dataset: str, moment: datetime) -> Interval | None:
        """The interval of the first version made by a batch that ends after a moment, forgotten or not; None where none was made."""
        later = self._version(dataset, _after(dataset, moment)["sk"], "VERSION#~")
        standing = self.last_recorded(dataset, moment)
        known = [later.interval if later else None, standing.followed_by if standing else None]
        return min((interval for interval in known if interval), key=lambda interval: interval.end, default=None)

    def last_version_within(self, dataset: str, interval: Interval) -> Version | None:
        """The newest version of those; None when these batches changed nothing."""
        found = self.version_at(dataset, interval.end)
        return found if found and found.interval.end > interval.start else None

    def version_of(self, dataset: str, end: datetime) -> Version | None:
        """The version that the batch ending at `end` made; None when that batch changed nothing."""
        values = self._get(keys.version(dataset, end))
        return items.version(values) if values else None

    def latest_version(self, dataset: str) -> Version | None:
        found = list(self._query(keys.version(dataset, datetime.now(UTC))["pk"], "VERSION#", newest_first=True, limit=1))
        return items.version(found[0]) if found else None

    def first_version(self, dataset: str) -> Version | None:
        """The oldest version, which never ages."""
        found = list(self._query(keys.version(dataset, datetime.now(UTC))["pk"], "VERSION#", limit=1))
        return items.version(found[0]) if found else None

    def last_recorded(self, dataset: str, moment: datetime) -> Version | None:
        """The last version recorded by then; where some are forgotten another may belong to the moment."""
        return self._version(dataset, keys.VERSION_PREFIX, keys.version(dataset, moment)["sk"], newest_first=True)

    def versions_after(self, dataset: str, moment: datetime) -> list[Version]:
        """The versions made by batches that end after `moment`, oldest first, as far as they are recorded (`forgotten_before`)."""
        pages = self._pages(_after(dataset, moment), "VERSION#~", ConsistentRead=True)
        return [items.version(items.from_item(item)) for page in pages for item in page["Items"]]

    def count_versions_after(self, dataset: str, moment: datetime) -> int:
        return sum(page["Count"] for page in self._pages(_after(dataset, moment), "VERSION#~", Select="COUNT"))

    def forgotten_before(self, dataset: str) -> datetime | None:
        """The moment before which versions of a dataset are forgotten; None where none is."""
        values = self._get(keys.aged_versions(dataset))
        return from_text(values["before"]) if values else None

    def latest_schema(self, dataset: str) -> SchemaVersion | None:
        found = list(self._query(keys.schema(dataset, 0)["pk"], "SCHEMA#", newest_first=True, limit=1))
        return items.schema_version(found[0]) if found else None

    def _known(self, dataset: str, moment: datetime, found: Version | None) -> Version | None:
        """Returns the last version by a moment, if it belongs to it.

        `forgotten_before` is read after the version, because it is written before anything is deleted.
        """
        before = None if found and found.interval.end == moment else self.forgotten_before(dataset)
        if before is None or moment >= before or stands(found, moment):
            return found
        found = self.last_recorded(dataset, moment)  # the version was perhaps read just before its follower was recorded in it
        if stands(found, moment):
            return found
        raise forgotten(dataset, moment, before)

    def _version(self, dataset: str, low: str, high: str, *, newest_first: bool = False) -> Version | None:
        """The oldest version between two sort keys, or the newest."""
        found = self._one({**keys.version(dataset, datetime.now(UTC)), "sk": low}, high, newest_first=newest_first)
        return items.version(found) if found else None


def _after(dataset: str, moment: datetime) -> keys.Key:
    """The least key of a version that is later than the one at `moment`."""
    at = keys.version(dataset, moment)
    return {**at, "sk": at["sk"] + " "}
