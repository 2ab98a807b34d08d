"""Whatever breaks at whatever a batch does: tried again, it stages the rows of one in which nothing broke. For a slice's tests to
inherit, which give `source`, `breaking` and `kind`, one of the kinds of faults that there are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Protocol

import pytest

from shared_metadata.contract.collect import CollectSteps, OpenSource
from tests.conformance.broken import Ended, batch
from tests.conformance.collect import COLUMNS, FLOW, Collecting, SourceUnderTest
from tests.conformance.fixtures import Cloud
from tests.conformance.relay import Relay

ROWS, BATCHES, FEW = 12, 2, 30
KILLED = ("killed before", "killed after")
Rows = list[tuple[str, float]]


class Breaking(Protocol):
    """Lets something break at one chance of all that a life has.  broke: whether it has."""

    broke: bool

    @property
    def chances(self) -> int: ...

    def begin(self, at: int, kind: str) -> None:
        """at: which of them; -1 for none."""
        ...

    def opening(self, open_source: OpenSource) -> OpenSource:
        """A slice's source as it may break."""
        ...


class Calls:
    """Ends the process at the `at`-th call of a source, before what it does or after, as far as a test goes; counts them."""

    def __init__(self) -> None:
        self.calls, self.at, self.kind, self.broke = 0, -1, "", False

    @property
    def chances(self) -> int:
        return self.calls

    def begin(self, at: int, kind: str) -> None:
        self.calls, self.at, self.kind, self.broke = 0, at, kind, False

    def opening(self, open_source: OpenSource) -> OpenSource:
        return lambda connection, secret: _Ending(self, open_source(connection, secret))  # type: ignore[return-value]

    def ending(self, whole: Callable[..., Any]) -> Callable[..., Any]:
        """The same, but that the process may end at it."""

        def called(*given: Any, **named: Any) -> Any:
            self.calls += 1
            ends = self.calls - 1 == self.at and self.kind in KILLED
            self.broke = self.broke or ends
            found = None if ends and self.kind == KILLED[0] else whole(*given, **named)
            if ends:
                raise Ended
            return found

        return called


class _Ending:
    def __init__(self, calls: Calls, source: Any) -> None:
        self._calls, self._source = calls, source

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        return self._calls.ending(found) if name in ("schema", "plan", "extract") else found


class Server(Calls):
    """Of a source that is a server behind a relay: the connection breaks at whatever it is asked, or the process ends at a call."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self.relay = relay

    @property
    def chances(self) -> int:
        return self.calls if self.kind in KILLED else self.relay.asked

    def begin(self, at: int, kind: str) -> None:
        super().begin(at, kind)
        self.relay.begin(at, kind)

    @property
    def broke(self) -> bool:
        return self._broke or self.relay.broke

    @broke.setter
    def broke(self, value: bool) -> None:
        self._broke = value


class Life:
    """A flow over a new table of the source, and its batches."""

    def __init__(self, source: SourceUnderTest, breaking: Breaking) -> None:
        self.cloud, self._breaking = Cloud(), breaking
        self.collecting = Collecting(self.cloud, source)

    def steps(self) -> CollectSteps:
        return self.collecting.steps(self._breaking.opening)

    def lived(self, at: int, kind: str) -> list[Rows]:
        """The rows of each batch: all, those of them that changed and those that were too late for the former one."""
        collecting, source, found = self.collecting, self.collecting.source, list[Rows]()
        table = source.create_table(COLUMNS)
        collecting.collect(table)
        self._breaking.begin(at, kind)
        for number in range(BATCHES):
            moment = collecting.at
            changed = [{"label": f"row {one}", "number": float(number)} for one in range(number * 3, ROWS)]
            source.put(table, changed, moment)
            source.put(table, [{"label": f"later {number}", "number": -1.0}], moment + timedelta(hours=1))
            batch(self, FLOW)
            found.append(sorted((row["label"], row["number"]) for row in collecting.rows()))
        return found


class FaultConformance:
    """every: of many chances for a kind one in so many is taken, of each kind others."""

    every: ClassVar[int] = 1

    @pytest.mark.sampled(3)
    def test_a_fault_in_the_middle_changes_nothing(
        self, cloud: Cloud, source: SourceUnderTest, breaking: Breaking, kind: str
    ) -> None:
        whole = self._whole(source, breaking, kind)
        assert Life(source, breaking).lived(breaking.chances // 2, kind) == whole
        assert breaking.broke

    @pytest.mark.deep
    @pytest.mark.nightly(8)
    @pytest.mark.timeout(1800)
    @pytest.mark.budget(600)
    def test_whatever_breaks_the_rows_are_those_of_a_life_in_which_nothing_did(
        self, cloud: Cloud, source: SourceUnderTest, breaking: Breaking, kind: str
    ) -> None:
        whole = self._whole(source, breaking, kind)
        chances, rows, faults = breaking.chances, 0, 0
        every = self.every if chances > FEW else 1
        met = range(zlib.crc32(kind.encode()) % every, chances, every)
        for at in met:
            assert Life(source, breaking).lived(at, kind) == whole, (kind, at)
            rows, faults = rows + sum(map(len, whole)), faults + breaking.broke
        print(f"{kind}: {faults} faults at {len(met)} of {chances} chances, {rows} rows compared")
        assert faults > len(met) * 0.9  # what is asked at the very end of a life may be left out the next time

    def _whole(self, source: SourceUnderTest, breaking: Breaking, kind: str) -> list[Rows]:
        """What a life without a fault gives."""
        found = Life(source, breaking).lived(-1, kind)
        first = sorted((f"row {one}", 0.0) for one in range(ROWS))
        assert found == [first, sorted([*((f"row {one}", 1.0) for one in range(3, ROWS)), ("later 0", -1.0)])]
        assert breaking.chances > 4 and not breaking.broke
        return found
