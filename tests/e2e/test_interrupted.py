"""Ctrl-C in the demo: what goes on in the background, how to stop it, and no traceback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from examples.airline import demo
from examples.airline.demo import caught_up, missed_minutes


@pytest.fixture
def stopped_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Presses Ctrl-C in a step of the demo."""

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def stop(place: str, *, running: bool) -> None:
        monkeypatch.setattr("sys.argv", ["demo"])
        monkeypatch.setattr(demo.embedded, "up", lambda *_: SimpleNamespace(session=lambda: None))
        monkeypatch.setattr(demo.embedded, "status", lambda _: SimpleNamespace(running=running))
        for method in ("sources", "deploy", "apply", "wait", "report", "change"):
            monkeypatch.setattr(demo.Demo, method, lambda *_: SimpleNamespace(program=None))
        monkeypatch.setattr(*(demo.embedded, "up") if place == "up" else (demo.Demo, place), interrupt)

    return stop


@pytest.mark.parametrize("place", ["up", "sources", "deploy", "apply", "wait", "report", "change"])
def test_it_is_said_what_goes_on_and_how_it_is_stopped(stopped_at: Any, capsys: pytest.CaptureFixture[str], place: str) -> None:
    stopped_at(place, running=True)
    with pytest.raises(SystemExit) as ended:
        demo.main()
    said = capsys.readouterr().out
    assert ended.value.code == 130
    assert "Interrupted; `make demo` goes on from here." in said and "in the background" in said and "demo --stop" in said


def test_where_nothing_runs_nothing_is_to_be_stopped(stopped_at: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stopped_at("up", running=False)
    with pytest.raises(SystemExit):
        demo.main()
    said = capsys.readouterr().out
    assert "Nothing runs in the background." in said and "--stop" not in said


def test_who_comes_back_is_told_how_far_it_is_and_how_long_it_will_take() -> None:
    assert caught_up(130, 130, 4.0).startswith("0 of 130 missed minutes are caught up; ")
    assert caught_up(130, 65, 120.0).startswith("65 of 130 missed minutes are caught up, about 2 min more; ")
    assert caught_up(130, 0, 240.0).startswith("130 of 130 missed minutes are caught up; ")


def test_each_dataset_that_catches_up_at_once_is_a_part_of_the_way() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    behind = now - timedelta(minutes=130)
    assert [missed_minutes([behind] * (20 - n) + [now + timedelta(minutes=1)] * n, now) for n in (0, 1, 10, 20)] == [130, 124, 65, 0]
