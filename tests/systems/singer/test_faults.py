"""Whatever breaks at whichever line of a tap's output: a batch that is tried again gives the rows of one in which nothing broke."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from systems.singer.process import Tap
from tests.conformance.broken import Ended, batch
from tests.conformance.collect import COLUMNS, FLOW, Collecting
from tests.conformance.fixtures import Cloud, cloud
from tests.systems.rest import things
from tests.systems.singer.under_test import TappedThings, TapUnderTest

__all__ = ["cloud"]
ROWS, PAGE, BATCHES = 12, 5, 2
# The function's process ends; the tap's is killed, so that it ends in the middle of a line or between two; it ends with exit code 1.
KINDS = ("killed", "tap killed", "tap fails")


class Breaking:
    """Lets something break at the `at`-th line of all runs, once, and counts them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.lines, self.at, self.kind, self.broke = 0, -1, "", False
        whole = Tap.messages

        def messages(tap: Tap, catalog: Any, state: Any) -> Iterator[bytes]:
            for line in whole(tap, catalog, state):
                self.lines += 1
                if self.lines - 1 != self.at:
                    yield line
                    continue
                self.broke = True
                if self.kind == "killed":
                    raise Ended
                assert tap._process is not None
                tap._process.kill()
                tap._process.wait()
                if self.kind == "tap fails":
                    tap._process.returncode = 1
                yield line[: len(line) // 2]
                return

        patch.setattr(Tap, "messages", messages)

    def begin(self, at: int, kind: str) -> None:
        self.lines, self.at, self.kind, self.broke = 0, at, kind, False


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TapUnderTest]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(things, "PAGE", PAGE)
    api = TappedThings()
    yield TapUnderTest(api, tmp_path)
    api.close()


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    return Breaking(monkeypatch)


def lived(source: TapUnderTest) -> list[set[tuple[str, float]]]:
    """The rows of each batch, as a MERGE takes them."""
    collecting, found = Collecting(Cloud(), source), list[set[tuple[str, float]]]()
    table = source.create_table(COLUMNS)
    collecting.collect(table)
    for number in range(BATCHES):
        at = collecting.at
        changed = [{"label": f"row {one}", "number": float(number)} for one in range(number * 3, ROWS)]
        source.put(table, changed, at)
        source.put(table, [{"label": f"later {number}", "number": -1.0}], at + timedelta(hours=1))
        batch(collecting, FLOW)
        found.append({(row["label"], row["number"]) for row in collecting.rows()})
    return found


def test_of_a_run_in_which_nothing_breaks_each_batch_has_its_rows(cloud: Cloud, source: TapUnderTest) -> None:
    first, second = lived(source)
    assert first == {(f"row {one}", 0.0) for one in range(ROWS)}
    assert second == {(f"row {one}", 1.0) for one in range(3, ROWS)} | {("later 0", -1.0)}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_the_middle_changes_nothing(cloud: Cloud, source: TapUnderTest, breaking: Breaking, kind: str) -> None:
    whole = lived(source)
    breaking.begin(breaking.lines // 2, kind)
    assert lived(source) == whole and breaking.broke


@pytest.mark.deep
@pytest.mark.nightly(8)
@pytest.mark.timeout(1800)
@pytest.mark.budget(900)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_breaks_the_rows_are_those_of_a_run_in_which_nothing_did(
    cloud: Cloud, source: TapUnderTest, breaking: Breaking, kind: str
) -> None:
    whole, faults = lived(source), 0
    lines = breaking.lines
    for at in range(lines):
        breaking.begin(at, kind)
        assert lived(source) == whole, (kind, at)
        faults += breaking.broke
    print(f"{kind}: {faults} faults at {lines} lines")
    assert faults == lines
