"""Decides which records a batch takes: those of a span of moments of recording, each of one batch; no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.contract.collect import Window
from shared_metadata.program.intervals import from_text, to_text


@dataclass(frozen=True)
class Span:
    """The moments from `since` to before `until`."""

    since: datetime
    until: datetime

    @property
    def is_empty(self) -> bool:
        return self.since >= self.until

    def plain(self) -> dict[str, str]:
        return {"since": to_text(self.since), "until": to_text(self.until)}

    @staticmethod
    def of(plain: Mapping[str, Any]) -> Span:
        return Span(from_text(plain["since"]), from_text(plain["until"]))


def span_of(window: Window, lag: timedelta, kept_since: datetime) -> Span:
    """What a batch takes. kept_since: what was recorded before may be deleted; a first batch takes what is kept.

    A batch ends `lag` before its interval does, so that what was recorded by then is there; the next one goes on from that moment.
    """
    start, end = window.interval.start, window.interval.end
    if window.took is not None:
        return Span.of(window.took)
    if window.rerun:
        return Span(start, end)
    since = from_text(json.loads(window.cursor)["until"]) if window.cursor else kept_since
    return Span(since, max(since, end - lag))


def cursor_after(span: Span) -> str:
    return json.dumps({"until": to_text(span.until)})
