"""What an operator starts a state machine with is refused with a message, whatever it is, and reaches nothing but its own flow."""

from __future__ import annotations

from typing import Any

import pytest

from shared_metadata.contract.batch_input import resolve
from shared_metadata.errors import InputError
from shared_metadata.program import Flow, Kind, Position, Program, Table
from shared_metadata.program.intervals import to_text
from tests.conformance import hostile
from tests.conformance.fixtures import NOW, Cloud, cloud

__all__ = ["cloud"]

pytestmark = pytest.mark.security
FLOW, HERE = "lake.ops.flights", Position("program.sql", 1, 1)
START, END = to_text(NOW.replace(hour=10)), to_text(NOW.replace(hour=11))
STRANGE: list[Any] = [None, True, 0, 1e308, "", [], {}, [FLOW], {"flow": FLOW}, "x" * 100_000, *hostile.VALUES, *hostile.NAMES]


@pytest.fixture
def applied(cloud: Cloud) -> Cloud:
    flow = Flow(FLOW, Kind.COLLECT, "collect.fake", "lake", 3600, (Table(f"{FLOW}:staged", "t"),), HERE, connection="ops")
    cloud.apply(Program({}, {}, {FLOW: flow}))
    return cloud


def refused(applied: Cloud, event: Any) -> str:
    with pytest.raises(InputError) as caught:
        resolve(event, applied.reader.programs(), applied.reader, "collect.fake", NOW)
    return str(caught.value)


@pytest.mark.parametrize("place", ["flow", "from", "start", "datasets", "a dataset", "field", "whole"])
def test_an_input_that_is_not_accepted_is_refused_and_not_repeated_at_length(applied: Cloud, place: str) -> None:
    for value in STRANGE:
        event: Any = {
            "flow": {"flow": value},
            "from": {"flow": FLOW, "from": value, "to": END},
            "start": {"flow": FLOW, "start": value, "end": END},
            "datasets": {"flow": FLOW, "start": START, "end": END, "datasets": value or 5},
            "a dataset": {"flow": FLOW, "start": START, "end": END, "datasets": [value]},
            "field": {str(value): FLOW},
            "whole": value or [],
        }[place]
        if event == {} or event == {"flow": FLOW}:
            continue
        said = refused(applied, event)
        assert "the input is refused" in said and "accepted are {}" in said and len(said) < 2_000, said[:300]
