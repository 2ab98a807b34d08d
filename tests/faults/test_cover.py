"""The plan of `make faults COVER=1`: everything is tried, at several places before it is given up, and no run bears too much."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.cover import FAILING, MOST_STOPS, MOST_TRIES, TRIED_AGAIN, Cover
from tests.faults.faults import CONDUCTOR, Combination, Fault, Kind, Site

FLOW, STAGED = "lake.ops.flights", "lake.ops.flights:staged"
OPERATIONS = ("dynamodb.PutItem", "s3.PutObject", "postgres.COPY", "salesforce.query", "salesforce.01g-25")
SITES = st.builds(
    Site,
    st.sampled_from([FLOW, "lake.crm"]),
    st.sampled_from([STAGED, "lake.crm.account:staged"]),
    st.sampled_from(["plan", "extract1", "commit"]),
    st.sampled_from(OPERATIONS),
    st.integers(0, 2),
)
CALLS = st.dictionaries(st.tuples(st.integers(0, 1), SITES), st.just("collect.postgres"), min_size=1)


@given(CALLS)
@settings(max_examples=25, deadline=None)
def test_whatever_is_met_is_tried_once_and_no_more(calls: dict[tuple[int, Site], str]) -> None:
    cover = Cover.of(calls, 2)
    for _ in range(len(cover.possible) + 1):
        faults = cover.next()
        cover.ran({fault: calls[fault.batch, fault.site] for fault in faults})
    assert faults == () and cover.missed == [] and cover.covered == set(cover.possible)
    assert cover.totals["struck"] == len(cover.possible)


@given(CALLS)
@settings(max_examples=25, deadline=None)
def test_what_never_strikes_is_given_up_and_named(calls: dict[tuple[int, Site], str]) -> None:
    cover = Cover.of(calls, 2)
    while cover.next():
        cover.ran({})
    assert cover.missed == sorted(cover.possible)
    assert set(cover.tries.values()) == {MOST_TRIES}
    assert f"did not strike: {cover.missed[0]}" in cover.table({"all": tuple(Kind)})


@given(CALLS)
@settings(max_examples=25, deadline=None)
def test_a_run_is_given_no_more_than_its_batches_bear(calls: dict[tuple[int, Site], str]) -> None:
    faults = Cover.of(calls, 2).next()
    again = Counter((f.batch, f.site.flow, f.site.dataset, f.site.step) for f in faults if f.kind in TRIED_AGAIN)
    failing = Counter((f.batch, f.site.flow, f.site.dataset) for f in faults if f.kind in FAILING)
    stops = Counter(f.batch for f in faults if f.kind == Kind.MACHINE)
    assert max((*again.values(), *failing.values()), default=0) <= 2
    assert max(stops.values(), default=0) <= MOST_STOPS and (not stops or stops.total() == len(faults))


def test_the_conductor_is_a_step_like_the_others() -> None:
    clock = Site(CONDUCTOR, "", "handle", "stepfunctions.StartExecution", 0)
    cover = Cover.of({(0, clock): CONDUCTOR}, 1)
    wanted = {Combination(CONDUCTOR, clock.operation, kind) for kind in (Kind.DIES_DURING, Kind.LOST, Kind.THROTTLED, Kind.PAUSED)}
    assert wanted <= set(cover.possible) and {fault.site for fault in cover.next()} == {clock}


def test_a_call_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    calls = {(0, Site(FLOW, STAGED, "commit", "s3.PutObject", 0)): "collect.postgres"}
    first, second = Cover.of(calls, 1), Cover.of(calls, 1)
    faults = first.next()
    first.ran(dict.fromkeys(faults, "collect.postgres"), rows=7)
    first.save(tmp_path / "new" / "covered.json")
    second.resume(tmp_path / "new" / "covered.json")
    assert second.covered == first.covered and second.totals["rows"] == 7
    assert not {Fault.tries(fault, "collect.postgres") for fault in second.next()} & first.covered
