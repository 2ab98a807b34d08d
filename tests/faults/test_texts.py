"""A fault as it is written, for `make faults` to repeat it."""

from __future__ import annotations

import pytest

from tests.faults.faults import Fault


@pytest.mark.parametrize(
    "text",
    [
        "1/lake.ops.flights/lake.ops.flights:staged/extract/postgres.COPY/0/paused",
        "0/conductor//handle/dynamodb.GetItem/3/machine stops",
    ],
)
def test_a_fault_is_what_its_text_says(text: str) -> None:
    assert str(Fault.read(text)) == text
