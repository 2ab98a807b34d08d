"""Looks at the newest requests of a table: which keys their events have, and what their values are."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from slices.collect.http.extracting import gather
from slices.collect.http.inbox import Inbox
from slices.collect.http.logic import TOLD
from systems.events import sampled
from systems.events.lines import Lines

SAMPLE_EVENTS, FEWEST_REQUESTS, MOST_LISTED, REQUESTS, AT_ONCE = 1000, 100, 5_000, 100, 8
LOOK_BACK_SECONDS = (60, 3600, 86_400)


class Sampling(sampled.Sampling):
    """now: the time."""

    def __init__(self, inbox: Inbox, table: str, now: datetime) -> None:
        super().__init__(TOLD)
        self._inbox, self._table, self._now = inbox, table, now

    def gather(self, lines: Lines) -> None:
        newest = self._newest()
        for at in range(0, len(newest), AT_ONCE):
            if lines.count < SAMPLE_EVENTS:
                gather(lines, list(self._inbox.read(self._table, newest[at : at + AT_ONCE])))

    def _newest(self) -> list[str]:
        """The last that a look finds, the newest first, from further back where these are few; S3 lists the oldest first."""
        found = list[str]()
        for since in (*(self._now - timedelta(seconds=back) for back in LOOK_BACK_SECONDS), None):
            found = list(islice(self._inbox.names(self._table, since, None), MOST_LISTED))
            if len(found) >= FEWEST_REQUESTS:
                break
        return found[: -REQUESTS - 1 : -1]
