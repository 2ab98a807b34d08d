"""Functions that are deployed anew while their statements run: what one version has submitted, another one looks up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import pytest

from shared_metadata.contract.organize import OpenDriver
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.waiting import statements
from shared_metadata.contract.waiting.statements import Look, Status
from shared_metadata.program import Mode, Warehouse
from tests.conformance.broken import Ended
from tests.conformance.fixtures import FakeContext
from tests.conformance.organize import FLIGHTS, KNOWN, VIEW, Lake, Row, flights

RESULT = "ops.public.out:result"


class HandedOn:
    """A warehouse's service of which no call sees the end of what it has submitted itself: its successor does."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._mine = inner, set[str]()

    def submit(self, text: str, token: str) -> str:
        id: str = self._inner.submit(text, token)
        self._mine.add(id)
        return id

    def look(self, id: str) -> Look:
        return Look(Status.RUNS) if id in self._mine else self._inner.look(id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Dying(HandedOn):
    """One of which a call ends as soon as it has submitted."""

    def submit(self, text: str, token: str) -> str:
        super().submit(text, token)
        raise Ended


def versions(opens: OpenDriver, *forms: Sequence[str], by: Callable[[Any], Any] = HandedOn) -> OpenDriver:
    """Opens drivers of which each is another version than the one before.

    forms: what a version has its transactions begin with.  by: how its calls end.
    """
    of_each = cycle(forms)

    def opened(warehouse: Warehouse, services: Services) -> Any:
        driver: Any = opens(warehouse, services)
        service_of = driver.service

        def service(place: str) -> Any:
            made = service_of(place)
            made._first = [*next(of_each)]
            return by(made)

        driver.service = service
        return driver

    return opened


def are_taken_up(lake: Lake, opens: OpenDriver, forms: Sequence[Sequence[str]], read: Callable[[str], list[Row]]) -> None:
    """Loads, sets rows aside, merges, computes and publishes: each statement is submitted by one version and looked up by another."""
    lake._open = versions(opens, *forms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "LOOKS_SECONDS", (statements.PATIENCE_SECONDS + 1,))  # each call looks once
        lake.collected(Mode.MERGE, key=("id",), expectations=(KNOWN,))
        for rows in (flights((1, "AA", 1.0), (2, "XX", 2.0)), flights((1, "UA", 5.0), (3, "AA", None))):
            assert len(lake.run(f"{FLIGHTS}:load", lake.stage(rows)).pauses) >= len(("load", "counts", "standing", "commit"))
        lake.view(f"SELECT id, carrier FROM {FLIGHTS}", Mode.MERGE, key=("id",))
        lake.view(f"SELECT id FROM {VIEW}", dataset=RESULT, inputs=(VIEW,))
        assert len(lake.run(VIEW).pauses) >= len(("inputs", "shape", "rows", "standing", "commit"))
        lake.run(RESULT)
    assert sorted((row["id"], row["carrier"], row["delay"]) for row in read(FLIGHTS)) == [(1, "UA", 5.0), (3, "AA", None)]
    assert [row["reason"] for row in read(f"{FLIGHTS}__rejected")] == ["known"]
    assert sorted((row["id"], row["carrier"]) for row in read(VIEW)) == [(1, "UA"), (3, "AA")]
    assert sorted(row["id"] for row in lake.cloud.rows(RESULT).to_pylist()) == [1, 3]


def after_one_that_died(lake: Lake, opens: OpenDriver, former: Sequence[str], now: Sequence[str]) -> dict[str, Any]:
    """Has a load of one row die once it has submitted, and another version go on; the state that this leaves."""
    lake.collected(Mode.APPEND)
    lake.stage(flights((1, "AA", 1.0)))
    lake._open = versions(opens, former, by=Dying)
    (state,) = lake.steps().plan(lake.cloud.event(f"{FLIGHTS}:load"), FakeContext())["work"]
    with pytest.raises(Ended):
        lake.steps().load(state, FakeContext())
    lake._open = versions(opens, now, by=lambda made: made)
    return dict(lake.steps().load(state, FakeContext()))
