"""A program whose batch cannot be made does not keep it: a later program takes it over, before its boundary and long after it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared_metadata.errors import InputError, RetryLater
from shared_metadata.program import Flow, Program
from shared_metadata.program.intervals import Interval, floor, from_text
from shared_metadata.state.effect import FlowProgress, natural_effect
from shared_metadata.state.entries import BEGINNING, Entry
from shared_metadata.state.records import MAX_ATTEMPTS
from shared_metadata.state.schedule import DueBatch
from shared_metadata.state.timeline import Programs
from shared_metadata.store.whole_table import scan
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.update_set.applying import EffectiveAt, former_program, moment_of, switch_to
from shared_metadata.verification.difference import Difference
from shared_metadata.verification.differences import differences
from shared_metadata.verification.facts import Facts
from tests.conformance.fixtures import SettableClock, create_metadata_table
from tests.memory.dynamodb import MemoryDynamoDB
from tests.metadata.behaviour import FIRST, HOUR, SECOND, START, apply, due_along, program, run, view

INPUT, BROKEN, READER, OTHER = "lake.crm.t000", "lake.a.broken", "lake.a.reader", "lake.a.other"
HOURS = timedelta(hours=1)


class Account:
    """Metadata and the time. `broken`: queries whose batches fail."""

    def __init__(self) -> None:
        self.clock, self.dynamodb = SettableClock(FIRST.end + timedelta(minutes=1)), MemoryDynamoDB()
        create_metadata_table(self.dynamodb, "metadata")
        self.writer = MetadataWriter(self.dynamodb, "metadata", self.clock)  # type: ignore[arg-type]
        self.broken: Collection[str] = ("bad",)
        self.made: dict[tuple[str, datetime], str] = {}
        self.names: list[tuple[str, DueBatch]] = []  # of what was started

    def apply(self, wanted: Program, **how: datetime) -> EffectiveAt:
        self.writer.put_program(wanted)
        moment = moment_of(self.writer.reader, wanted, self.clock.now, **how)
        switch_to(self.writer, wanted, moment)
        return moment

    def work(self, *, attempts: int = MAX_ATTEMPTS) -> None:
        """Makes all that can be made, what is collected first; what cannot fails so many times."""
        while due := due_along(self.writer, self.clock):
            for batch in [batch for batch in due if batch.flow.startswith("lake.crm")] or due:
                flow = self._flow(batch.program, batch.flow)
                if flow.query in self.broken:
                    for attempt in range(batch.attempt, batch.attempt + attempts):
                        self._fail(replace(batch, attempt=attempt))
                else:
                    self.names.append((batch.execution_name, batch))
                    run(self.writer, batch)
                    self.made[batch.flow, batch.interval.start] = flow.query

    def _fail(self, batch: DueBatch) -> None:
        self.names.append((batch.execution_name, batch))
        if batch.advanced:
            self.writer.settle(self.writer.reader.programs(), batch.flow)
        held = self.writer.claim(
            batch.flow,
            batch.interval,
            batch.datasets,
            program_version=batch.program,
            owner="one",
            lease_seconds=60,
            entry=batch.entry,
        )
        for dataset in batch.datasets:
            self.writer.fail(held, dataset, "it cannot be")

    def hours_pass(self, hours: int) -> None:
        for _ in range(hours):
            self.clock.advance(hours=1)
            self.work()

    def stands_at(self, flow: str) -> datetime:
        programs, states = self.writer.reader.programs(), self.writer.reader.flow_states([flow])
        return programs.progress(flow, flow, states[flow].tables[flow]).through

    def _flow(self, version: str, flow: str) -> Flow:
        return self.writer.reader.program(version).flows[flow]


@pytest.fixture
def account() -> Account:
    return Account()


def views(broken: str = "bad", other: str = "SELECT 1", name: str = BROKEN) -> Program:
    return program(1, views=(view(name, INPUT, query=broken), view(READER, name), view(OTHER, INPUT, query=other)))


def all_is_made_by_it(account: Account, mended: str, since: datetime, *others: str) -> None:
    """The mended view and its reader are complete, and nothing that is recorded disagrees."""
    hours = (account.clock.now - since) // HOURS
    for name in (BROKEN, READER, *others):
        assert account.stands_at(name) == since + hours * HOURS, name
    assert {account.made[BROKEN, since + n * HOURS] for n in range(hours)} == {mended}
    assert differences_of(account) == []


def differences_of(account: Account) -> list[Difference]:
    facts = Facts.of(scan(account.dynamodb, "metadata"))  # type: ignore[arg-type]
    return list(differences(facts, account.writer.reader.programs(), account.clock.now, {}))


@pytest.mark.parametrize("attempts", [1, MAX_ATTEMPTS])
def test_one_that_is_mended_takes_over_what_fails_at_once(account: Account, attempts: int) -> None:
    apply(account.writer, views())
    account.work(attempts=attempts)
    moment = account.apply(views("good"))
    assert moment.effect.boundary == FIRST.start and not moment.still
    account.broken = ("good",)
    account.work(attempts=1)
    assert differences_of(account) == [], "also between its first attempt and its first commit"
    account.broken = ()
    account.hours_pass(2)
    all_is_made_by_it(account, "good", FIRST.start, OTHER)


def stuck_beyond_a_boundary(account: Account, changed: Program) -> None:
    """A mended program that changes more is in effect for hours, and what failed before still is the former's."""
    apply(account.writer, views())
    account.work()
    moment = account.apply(changed)
    assert moment.effect.boundary == SECOND.end and moment.still == (BROKEN,) and moment.still_since == FIRST.start
    account.hours_pass(3)
    assert account.stands_at(OTHER) == START + 4 * HOURS and account.stands_at(READER) == START


def test_the_same_program_takes_it_over_later_when_it_is_asked_to(account: Account) -> None:
    mended = views("good", "SELECT 2")
    stuck_beyond_a_boundary(account, mended)
    account.apply(mended, restate_from=FIRST.start)
    account.hours_pass(1)
    all_is_made_by_it(account, "good", FIRST.start, OTHER)
    assert account.made[OTHER, START] == "SELECT 2", "what changed since then is made again with it"


def test_a_change_of_what_stands_still_alone_reaches_back_beyond_boundaries_of_others(account: Account) -> None:
    stuck_beyond_a_boundary(account, views("good", "SELECT 2"))
    moment = account.apply(views("better", "SELECT 2"))
    assert moment.effect.boundary == FIRST.start and not moment.still
    account.hours_pass(1)
    all_is_made_by_it(account, "better", FIRST.start, OTHER)
    assert account.made[OTHER, START] == "SELECT 1", "what the change does not reach stays as it is"


def test_readers_of_a_view_that_got_another_name_go_on(account: Account) -> None:
    renamed = "lake.a.mended"
    stuck_beyond_a_boundary(account, views("good", "SELECT 2", renamed))
    account.apply(views("good", "SELECT 2", renamed), restate_from=FIRST.start)
    account.hours_pass(1)
    assert {account.stands_at(name) for name in (renamed, READER, OTHER)} == {START + 5 * HOURS}
    assert account.made[renamed, START] == "good", "it begins where its readers need it"
    assert differences_of(account) == []


def test_what_a_program_made_that_is_taken_back_is_made_again(account: Account) -> None:
    good, worse = views("good"), views("worse")
    apply(account.writer, good)
    account.hours_pass(1)
    account.apply(worse)
    account.hours_pass(3)
    boundary = account.writer.reader.timeline().entries[-1].boundary
    assert account.made[BROKEN, boundary] == "worse"
    account.apply(good, restate_from=boundary)
    account.work()
    all_is_made_by_it(account, "good", FIRST.start, OTHER)


def test_a_program_that_is_tried_again_and_again_leaves_no_trace_of_each_try(account: Account) -> None:
    account.broken = [f"bad {number}" for number in range(30)]
    apply(account.writer, views("bad 0"))
    for number in range(1, 30):
        account.work()
        account.apply(views(f"bad {number}"))
    assert len(account.writer.reader.timeline().entries) <= 3
    account.apply(views("good"))
    account.hours_pass(1)
    all_is_made_by_it(account, "good", FIRST.start, OTHER)


def test_a_restatement_is_refused_where_nothing_would_be_made_again(account: Account) -> None:
    good = views("good")
    apply(account.writer, good)
    account.hours_pass(2)
    with pytest.raises(InputError, match="nothing of this program has changed since") as refused:
        account.apply(good, restate_from=FIRST.end)
    assert "atoll run" in str(refused.value)


def test_a_restatement_is_refused_where_it_would_read_what_another_program_made(account: Account) -> None:
    """The other view changed an hour ago; a reader of it that changes now cannot be made by this program from before that."""
    first = program(1, views=(view(OTHER, INPUT, query="SELECT 1"), view(READER, OTHER, query="SELECT 1")))
    second = program(1, views=(view(OTHER, INPUT, query="SELECT 2"), view(READER, OTHER, query="SELECT 1")))
    third = program(1, views=(view(OTHER, INPUT, query="SELECT 2"), view(READER, OTHER, query="SELECT 2")))
    apply(account.writer, first)
    account.hours_pass(1)
    account.apply(second)
    account.hours_pass(3)
    boundary = account.writer.reader.timeline().entries[-1].boundary
    with pytest.raises(InputError, match=f"reads {OTHER}") as refused:
        account.apply(third, restate_from=START)
    assert from_text(str(refused.value).split("choose ")[1].split()[0]) == boundary
    account.apply(third, restate_from=boundary)
    account.work()
    assert account.stands_at(READER) == START + 5 * HOURS


def test_a_restatement_is_refused_before_what_is_known(account: Account) -> None:
    apply(account.writer, views("good 0"))
    for number in range(1, 5):
        account.hours_pass(2)
        account.apply(views(f"good {number}"))
    account.hours_pass(2)
    with pytest.raises(InputError, match="is no longer known") as refused:
        account.apply(views("good 9"), restate_from=START)
    assert account.apply(views("good 9"), restate_from=from_text(str(refused.value).split("choose ")[1].split()[0]))


def test_no_name_of_an_execution_is_used_twice(account: Account) -> None:
    """The takeover begins hours before the batch that failed: a reader of four hours decides where."""
    day = "lake.a.day"

    def chain(query: str) -> Program:
        return program(1, views=(view(BROKEN, INPUT, query=query), view(day, BROKEN, seconds=4 * HOUR)))

    apply(account.writer, chain("good"))
    account.hours_pass(6)
    account.broken = ("good",)
    account.clock.advance(hours=1)
    account.work()
    failed = account.stands_at(BROKEN)
    assert account.apply(chain("mended")).effect.boundary < failed
    account.hours_pass(1)
    assert account.stands_at(BROKEN) == failed + 2 * HOURS
    names = [name for name, started in account.names if started.flow == BROKEN]
    assert len(set(names)) == len(names) and account.made[BROKEN, failed] == "mended"


def test_what_was_made_as_one_is_made_again_one_by_one_by_the_program_that_had_made_it(account: Account) -> None:
    def covering(query: str) -> Program:
        return program(1, views=(replace(view(BROKEN, INPUT, query=query), covers=True),))

    one, two = covering("one"), covering("two")
    apply(account.writer, one)
    account.work()
    account.clock.advance(hours=4)
    account.work()
    (made,) = account.writer.reader.flow_states([BROKEN])[BROKEN].tables[BROKEN].skipped
    account.apply(two)
    account.hours_pass(2)
    account.apply(one, restate_from=made.start)
    account.hours_pass(1)
    assert account.stands_at(BROKEN) == made.end + 3 * HOURS
    assert account.made[BROKEN, made.end - HOURS] == "one"


def test_a_timeline_that_was_trimmed_takes_no_forgotten_program_for_a_known_one(account: Account) -> None:
    def three(other: str, broken: str, reader: str = "1") -> Program:
        return program(
            1, views=(view(OTHER, INPUT, query=other), view(BROKEN, INPUT, query=broken), view(READER, OTHER, query=reader))
        )

    apply(account.writer, three("1", "1"))
    account.hours_pass(3)
    account.apply(three("2", "1"))
    account.hours_pass(3)
    account.apply(three("2", "2"), restate_from=FIRST.end)  # further back than the boundary before
    for number in range(3, 6):
        account.hours_pass(3)
        account.apply(three("2", str(number)))
    account.hours_pass(3)
    with pytest.raises(InputError, match="is no longer known"):
        account.apply(three("2", "5", "2"), restate_from=FIRST.end + HOURS)


def test_an_apply_that_comes_too_late_moves_nothing(account: Account) -> None:
    one = program(1, views=(view(OTHER, INPUT),))
    two = program(1, views=(view(OTHER, INPUT), view(READER, OTHER)))
    apply(account.writer, one)
    account.hours_pass(4)
    account.apply(two)
    account.hours_pass(2)
    mended = program(1, views=(view(OTHER, INPUT, query="SELECT 2"), view(READER, OTHER)))
    account.writer.put_program(mended)
    late = moment_of(account.writer.reader, mended, account.clock.now, restate_from=FIRST.end)
    before = account.writer.reader.flow_states([READER])
    account.apply(program(1, views=(view(OTHER, INPUT), view(READER, OTHER), view(BROKEN, INPUT))))
    with pytest.raises(RetryLater):
        switch_to(account.writer, mended, late)
    assert late.effect.earlier == {READER} and account.writer.reader.flow_states([READER]) == before


def test_a_new_view_begins_where_a_restatement_cuts_its_inputs_first_batch(account: Account) -> None:
    """The input's only version ends later; but it is made again, up to the cut first."""
    covering = replace(view(OTHER, INPUT), covers=True)
    apply(account.writer, program(1, views=(covering,)))
    account.clock.advance(hours=3)
    account.work()
    assert account.writer.reader.first_version(OTHER).interval == Interval(FIRST.start, FIRST.end + 3 * HOURS)  # type: ignore[union-attr]
    cut = FIRST.end
    finer = replace(covering, interval_seconds=600, query="SELECT 2")
    account.apply(program(1, views=(finer, view(READER, OTHER, seconds=600))), restate_from=cut)
    assert account.stands_at(READER) == cut


def test_a_rollback_brings_back_what_has_run_and_no_try(account: Account) -> None:
    apply(account.writer, views("good 1"))
    account.hours_pass(2)
    account.apply(views("good 2"))
    account.hours_pass(5)
    account.apply(views("oops"), restate_from=account.writer.reader.timeline().entries[-1].boundary)
    account.hours_pass(1)
    assert former_program(account.writer.reader, account.clock.now).flows[BROKEN].query == "good 2"


def flow(name: str, seconds: int, *inputs: str, query: str = "SELECT 1") -> Flow:
    return view(name, *inputs, seconds=seconds, query=query)


def of(*flows: Flow) -> Program:
    return Program({}, {}, {one.id: one for one in flows})


def test_a_takeover_that_would_make_much_again_waits_to_be_asked() -> None:
    """One attempt has failed; a reader that begins a batch once a week is behind by days."""
    hourly, weekly = flow("a", HOUR), flow("w", 7 * 24 * HOUR, "a")
    monday, now = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
    late = now.replace(minute=0) - HOURS
    progress = {"a": FlowProgress(late, late, True, begins=START, failing=True), "w": FlowProgress(monday, monday, True)}
    effect = natural_effect(Programs.always(of(hourly, weekly)), of(flow("a", HOUR, query="2"), weekly), progress, now)
    assert (effect.boundary, effect.restates) == (monday + timedelta(days=7), False)
    soon = {**progress, "a": replace(progress["a"], first=monday + HOURS, last=monday + HOURS)}
    effect = natural_effect(Programs.always(of(hourly, weekly)), of(flow("a", HOUR, query="2"), weekly), soon, now)
    assert (effect.boundary, effect.restates) == (monday, True)


def test_a_takeover_begins_where_batches_of_the_programs_before_began_too() -> None:
    """Two days were a batch until the first of the month; a reader of three days takes the moment back before that."""
    day, month = timedelta(days=1), datetime(2026, 11, 1, tzinfo=UTC)
    slow, quick, other = flow("a", 2 * 24 * HOUR), flow("a", HOUR, query="2"), flow("c", 3 * 24 * HOUR)
    programs = Programs([(Entry("1", BEGINNING, BEGINNING), of(slow, other)), (Entry("2", month, month, number=2), of(quick, other))])
    new, begins = of(flow("a", HOUR, query="3"), flow("c", 3 * 24 * HOUR, query="2")), month - 30 * day
    progress = {
        "a": FlowProgress(month + HOURS, month + HOURS, True, begins=begins, failing=True),
        "c": FlowProgress(month + 2 * day, month + 2 * day, True, stopped=True, begins=begins),
    }
    boundary = natural_effect(programs, new, progress, month + 3 * day).boundary
    assert floor(boundary, 2 * 24 * HOUR) == floor(boundary, 3 * 24 * HOUR) == boundary < month
