"""The pauses of a step that waits: they bring it to its limit, in no more looks than it has, and outlast no lease."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.step_functions import MOST_EVENTS as MOST_EVENTS_OF_AN_EXECUTION
from infra.workflows import MOST_AT_ONCE
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS
from shared_metadata.contract.waiting import pauses
from shared_metadata.contract.waiting.statements import LIMIT_SECONDS

SIX_HOURS = 6 * 3600.0


def waited(limit: float, looks: int, at_least: float = 0, took: float = 0) -> list[int]:
    """The pauses until the limit. took: by each call between two of them."""
    found, passed = list[int](), 0.0
    while passed < limit and len(found) < looks:
        found.append(pauses.pause_seconds(passed, limit, looks - len(found), at_least))
        passed += found[-1] + took
    return found


def test_a_pause_never_outlasts_the_lease_that_begins_with_it() -> None:
    assert pauses.LONGEST_SECONDS < LEASE_SECONDS


@given(limit=st.floats(1, 48 * 3600), looks=st.integers(1, 3000), at_least=st.floats(0, 5000), took=st.floats(0, 900))
def test_pauses_are_within_their_bounds_whatever_the_other_side_advises(
    limit: float, looks: int, at_least: float, took: float
) -> None:
    found = waited(limit, looks, at_least, took)
    assert all(1 <= pause <= pauses.LONGEST_SECONDS for pause in found) and len(found) <= looks
    assert sum(found[:-1]) < limit


@given(limit=st.floats(1, 48 * 3600), spare=st.integers(0, 50), took=st.floats(0, 60))
def test_whoever_has_room_with_the_fastest_growth_reaches_the_limit(limit: float, spare: int, took: float) -> None:
    looks = pauses.looks_needed(0, limit, pauses.GROWTHS[-1]) + spare
    assert sum(waited(limit, looks)) >= limit
    passed = waited(limit, looks, took=took)
    assert sum(passed) + took * len(passed) >= limit


def test_pauses_are_short_at_first_and_grow() -> None:
    found = waited(SIX_HOURS, pauses.looks_of_each(1))
    assert found[:4] == [5, 5, 5, 5] and found[-2] == pauses.LONGEST_SECONDS and found[:-1] == sorted(found[:-1])
    assert sum(found) == SIX_HOURS and len(found) < 60


@pytest.mark.parametrize("pieces", [1, 7, pauses.PIECES_WITH_ROOM])
def test_each_of_so_many_pieces_of_an_execution_has_room_for_six_hours(pieces: int) -> None:
    assert SIX_HOURS == LIMIT_SECONDS
    assert sum(waited(LIMIT_SECONDS, pauses.looks_of_each(pieces))) == LIMIT_SECONDS


@pytest.mark.parametrize("pieces", [1, 2, 39, 40, 41, 199, 200, 399])
def test_however_many_wait_beside_one_another_their_history_has_room(pieces: int) -> None:
    events = pieces * (pauses.EVENTS_OF_PIECE + pauses.looks_of_each(pieces) * pauses.EVENTS_OF_LOOK)
    assert events + pauses.EVENTS_TO_SPARE <= pauses.MOST_EVENTS == MOST_EVENTS_OF_AN_EXECUTION


def test_as_many_as_have_room_wait_at_once() -> None:
    assert pauses.PIECES_WITH_ROOM == MOST_AT_ONCE
