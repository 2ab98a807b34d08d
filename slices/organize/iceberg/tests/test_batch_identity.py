"""Who may commit upon a table's history."""

from dataclasses import replace

import pytest

from shared_metadata.contract.batch_identity import Identity, Standing, standing
from shared_metadata.errors import StaleToken

MINE = Identity("lake.a.b", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z", 2, "v1")
FORMER = replace(MINE, start="2026-11-23T09:00:00Z", end="2026-11-23T10:00:00Z", token=9)
LATER = replace(MINE, start="2026-11-23T11:00:00Z", end="2026-11-23T12:00:00Z", token=1)
STRANGER = replace(LATER, flow="lake.a.c")


def test_an_identity_survives_the_snapshot_summary() -> None:
    assert Identity.read({**MINE.properties(), "operation": "append"}) == MINE
    assert Identity.read({"operation": "append"}) is None


def test_a_former_batch_and_a_strange_flow_say_nothing() -> None:
    assert standing(MINE, [(1, FORMER), (2, STRANGER)], rerun=False) == Standing(None, False, False)


def test_the_same_token_is_looked_up_even_when_a_later_batch_stands() -> None:
    assert standing(MINE, [(1, MINE), (2, LATER)], rerun=False).landed == 1


def test_a_lower_token_of_the_batch_is_replaced() -> None:
    assert standing(MINE, [(1, replace(MINE, token=1))], rerun=False) == Standing(None, False, True)


def test_a_batch_of_another_length_over_the_same_time_is_replaced() -> None:
    day = replace(FORMER, start="2026-11-23T00:00:00Z", end="2026-11-24T00:00:00Z")
    assert standing(MINE, [(1, day)], rerun=False) == Standing(None, True, True)


def test_a_longer_batch_of_the_same_start_is_newer_until_its_end_is_made_again() -> None:
    long = replace(MINE, end="2026-11-23T13:00:00Z", token=1)
    made = [
        replace(MINE, start=f"2026-11-23T{hour}:00:00Z", end=f"2026-11-23T{hour + 1}:00:00Z", program="v2") for hour in (10, 11, 12)
    ]
    assert [standing(one, [(1, long)], rerun=True).newer for one in made] == [True, True, False]


@pytest.mark.parametrize("other", [replace(MINE, token=3), LATER])
def test_a_newer_token_or_a_later_batch_refuses_this_one(other: Identity) -> None:
    with pytest.raises(StaleToken):
        standing(MINE, [(1, other)], rerun=False)


def test_a_rerun_may_go_behind_a_later_batch() -> None:
    assert standing(MINE, [(1, LATER)], rerun=True) == Standing(None, True, False)
