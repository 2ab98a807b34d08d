"""Every kind of fault at requests and answers of every step: a batch that is tried again gives the rows of one without a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slices.collect.kafka import connecting
from slices.collect.kafka.reading import Reader
from slices.collect.kafka.tests.test_kafka import FLOW, ID, Clicks, cloud  # noqa: F401
from slices.collect.kafka.topics import Topics
from tests.conformance.broken import Ended, batch
from tests.conformance.fixtures import Cloud

EVENTS, BATCHES = 16, 2
EVERY = 3  # of the chances for a kind; each kind begins with another one, so that together they meet all
NOT_LEADER, NOT_ENOUGH_TIME, UNKNOWN_TOPIC = 6, 7, 3
ERRORS = {"another leads": NOT_LEADER, "took too long": NOT_ENOUGH_TIME, "not known yet": UNKNOWN_TOPIC}
KINDS = ("hung up before", "hung up after", "killed before", "killed after", *ERRORS)
ASKING = ("Metadata", "ListOffsets", "Fetch")


class Breaking:
    """Lets the `at`-th request break at the broker, or the process end when it waits for the `at`-th time; counts both."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.at, self.kind, self.requests, self.waits, self.broke = -1, "", 0, 0, False
        patch.setattr(Topics, "_answer", self._ending(Topics._answer))
        patch.setattr(Reader, "_next", self._ending(Reader._next))

    def begin(self, at: int, kind: str) -> None:
        self.at, self.kind, self.requests, self.waits, self.broke = at, kind, 0, 0, False

    def breaks(self, name: str, done: bool) -> bool:
        """As the broker asks it."""
        if name not in ASKING or done is not (self.kind == "hung up after"):
            return False
        self.requests += 1
        return self.kind.startswith("hung up") and self._is_now(self.requests)

    def error(self, name: str) -> int:
        """The code with which a request about a topic is answered; 0 for none."""
        return ERRORS[self.kind] if self.kind in ERRORS and name in ASKING and self._is_now(self.requests) else 0

    def _is_now(self, number: int) -> bool:
        now = number - 1 == self.at and not self.broke
        self.broke = self.broke or now
        return now

    def _ending(self, whole: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            self.waits += 1
            ends = self.kind.startswith("killed") and self._is_now(self.waits)
            found = None if ends and self.kind == "killed before" else whole(*given)
            if ends:
                raise Ended
            return found

        return called


class Codes(dict[str, list[int]]):
    """The broker's error codes, of which there is one whenever it is time."""

    def __init__(self, breaking: Breaking) -> None:
        self._breaking = breaking

    def get(self, name: str, default: Any = None) -> Any:
        code = self._breaking.error(name)
        return [code] if code else default


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    monkeypatch.setattr(connecting, "DOWN_SECONDS", 2.0)
    monkeypatch.setattr(connecting, "ANSWER_SECONDS", 10.0)
    return Breaking(monkeypatch)


def lived(cloud: Cloud, breaking: Breaking) -> list[list[int]]:  # noqa: F811
    """The events of each batch of a topic that grows on the way, with a transaction that is given up."""
    clicks = Clicks(cloud, partitions=2)
    clicks.collect(**ID)
    cluster, rules, found, number = clicks.broker.cluster, clicks.broker.rules, list[list[int]](), 0
    for hour in range(BATCHES):
        for _ in range(EVENTS // BATCHES):
            clicks.send({"id": number}, key=str(number).encode())
            number += 1
        producer = cluster.new_producer()
        clicks.send({"id": -1}, producer=producer, partition=hour)
        cluster.abort(producer)
        if hour == 1:
            cluster.grow(clicks.name, 3)
            clicks.send({"id": number}, partition=2)
        rules.breaks, rules.errors = breaking.breaks, Codes(breaking)
        try:
            batch(clicks, FLOW)
        finally:
            rules.breaks, rules.errors = lambda name, done: False, {}
        found.append(sorted(row["id"] for row in clicks.rows()))
    return found


def whole(breaking: Breaking, kind: str) -> tuple[list[list[int]], int]:
    """What a life without a fault gives, and how many chances there are for one of a kind."""
    breaking.begin(-1, kind)
    found = lived(Cloud(), breaking)
    assert sum(map(len, found)) == EVENTS + 1
    return found, breaking.waits if kind.startswith("killed") else breaking.requests


@pytest.mark.deep
@pytest.mark.nightly(8)
@pytest.mark.timeout(900)
@pytest.mark.budget(600)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_breaks_the_rows_are_those_of_a_run_in_which_nothing_did(cloud: Cloud, breaking: Breaking, kind: str) -> None:  # noqa: F811
    wanted, chances = whole(breaking, kind)
    rows, faults = 0, 0
    met = range(KINDS.index(kind) % EVERY, chances, EVERY)
    for at in met:
        breaking.begin(at, kind)
        assert lived(Cloud(), breaking) == wanted, (kind, at)
        rows, faults = rows + EVENTS + 1, faults + breaking.broke
    print(f"{kind}: {faults} faults at {len(met)} of {chances} chances, {rows} rows compared")
    assert faults > len(met) // 2  # how often is asked, and whether of a topic, is up to the library


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_the_middle_changes_nothing(cloud: Cloud, breaking: Breaking, kind: str) -> None:  # noqa: F811
    wanted, chances = whole(breaking, kind)
    breaking.begin(chances // 2, kind)
    assert lived(Cloud(), breaking) == wanted
