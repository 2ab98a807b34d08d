"""Two verifications on one machine take nothing from each other, and what one leaves is there for the next."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.verification_notes import notes_of
from shared_metadata.program.intervals import Interval
from shared_metadata.verification.facts import Completed
from shared_metadata.verification.notes import Notes

NOW, DAY, FLOW = datetime(2026, 11, 30, 12, tzinfo=UTC), "2026-11-29", "lake.a"
TARGET: Any = SimpleNamespace(profile="production", region="eu-central-1")


def event(hour: int) -> Completed:
    return Completed(FLOW, Interval(NOW + timedelta(hours=hour), NOW + timedelta(hours=hour + 1)), 1, {FLOW: 1})


def begun(notes: Notes) -> Notes:
    notes.begin(NOW, 1, {FLOW: 0})
    return notes


def noted(notes: Notes, hour: int) -> None:
    notes.keep_events(DAY, [event(hour)])
    notes.keep_day(DAY)


def test_a_second_one_beside_it_has_notes_of_its_own_and_a_later_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with suppress(KeyboardInterrupt), notes_of(TARGET) as first:
        noted(begun(first), 1)
        with notes_of(TARGET) as second:
            assert not begun(second).has_day(DAY)
            noted(second, 2)
            assert list(second.events((FLOW,))) == [event(2)]
            second.clear()
        assert first.has_day(DAY) and list(first.events((FLOW,))) == [event(1)]
        raise KeyboardInterrupt
    with notes_of(TARGET) as later:
        assert begun(later).has_day(DAY) and list(later.events((FLOW,))) == [event(1)]
        later.clear()
    assert [file.suffix for file in tmp_path.rglob("*") if file.is_file()] == [".lock"]
