"""What is handed on of a STATE, whatever its form: no moment in it is later than what was taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_metadata.errors import DefinitionError
from systems.singer.states import handed_on, progress, set_back

UNTIL = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
FORMS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%d")
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
LEAVES = (
    st.none()
    | st.integers(-10, 10)
    | st.text(max_size=5)
    | st.tuples(MOMENTS, st.sampled_from(FORMS)).map(lambda one: f"{one[0]:{one[1]}}")
)
STATES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))


def moments(state: Any) -> list[datetime]:
    if isinstance(state, dict | list):
        return [moment for value in (state.values() if isinstance(state, dict) else state) for moment in moments(value)]
    for form in FORMS:
        try:
            return [datetime.strptime(str(state), form).replace(tzinfo=UTC)]
        except ValueError:
            continue
    return []


@given(state=STATES)
def test_no_moment_is_later_and_all_else_is_as_it_was(state: Any) -> None:
    found, count = set_back(state, UNTIL)
    pairs = list(zip(moments(state), moments(found), strict=True))
    assert all(after <= UNTIL and timedelta(0) <= min(before, UNTIL) - after < timedelta(days=1) for before, after in pairs)
    assert count == len(moments(state)) and set_back(found, UNTIL) == (found, count)
    assert set_back(state, datetime(2101, 1, 1, tzinfo=UTC))[0] == state


@pytest.mark.parametrize(
    ("written", "back"),
    [
        ("2030-01-01T00:00:00Z", "2026-03-01T12:30:15Z"),
        ("2030-01-01T00:00:00.000Z", "2026-03-01T12:30:15.250Z"),
        ("2030-01-01 00:00:00", "2026-03-01 12:30:15"),
        ("2030-01-01T00:00:00.123456+05:00", "2026-03-01T12:30:15.250000+00:00"),
        ("2030-01-01T00:00:00+0000", "2026-03-01T12:30:15+0000"),
        ("2030-01-01", "2026-03-01"),
        ("2026-03-01T12:30:15.250000Z", "2026-03-01T12:30:15.250000Z"),
        ("2030-13-01", "2030-13-01"),
        (1_900_000_000, 1_772_368_215),
        (1_900_000_000_000, 1_772_368_215_250),
        (1_900_000_000.5, 1_772_368_215.25),
        (1_700_000_000, 1_700_000_000),
        (17, 17),
        (True, True),
    ],
)
def test_a_moment_is_written_as_it_was(written: Any, back: Any) -> None:
    assert set_back({"a": [written], "version": 1_900_000_000_000}, UNTIL)[0] == {"a": [back], "version": 1_900_000_000_000}


def test_a_state_that_is_too_large_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"here: .*STATE has more than 100 KB.*REPLACE"):
        handed_on(None, {"x": "y" * 200_000}, UNTIL, 60, timed=False, place="here")


def test_where_rows_were_left_out_a_state_without_moments_is_not_handed_on() -> None:
    assert handed_on({"id": 1}, {"id": 2}, UNTIL, 60, timed=True, place="") == {"id": 1}
    assert handed_on({"id": 1}, {"id": 2}, UNTIL, 60, timed=False, place="") == {"id": 2}


def test_progress_is_what_is_left_of_a_state_when_it_is_begun_with_again() -> None:
    assert progress({"bookmarks": {"a": {"progress_markers": {"x": 1}}}, "currently_syncing": "a"}) == {}
    assert progress({"bookmarks": {"a": {"id": 1}}}) == {"bookmarks": {"a": {"id": 1}}}
