"""What has aged is missed by nobody: every answer is as it would be without ageing, or an error that says it is kept no longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings
from pyarrow import parquet

from shared_metadata.contract.maintenance import ageing, retention
from shared_metadata.contract.maintenance.ageing import Ageing
from shared_metadata.contract.maintenance.restatable import refuse_what_is_forgotten
from shared_metadata.contract.maintenance.retention import Retention
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS
from shared_metadata.errors import AlreadyCommitted, DefinitionError, InputError, StaleToken
from shared_metadata.naming import REJECTED_DAYS
from shared_metadata.program import Mode, Program
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import EventKind, TableCommit, Version
from shared_metadata.state.schedule import DueBatch
from shared_metadata.store import items, keys
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.update_set.applying import moment_of
from shared_metadata.verification.difference import Kind
from shared_metadata.verification.differences import differences
from shared_metadata.verification.facts import Facts
from shared_metadata.verification.groups import groups
from shared_metadata.verification.notes import Notes
from shared_metadata.verification.verify import Verified, verify
from tests.conformance.fixtures import SettableClock, create_metadata_table
from tests.memory.dynamodb import MemoryDynamoDB, Rows
from tests.metadata.behaviour import FIRST, HOUR, START, apply, due_along, program, scheduled, standing, view
from tests.metadata.test_verify_large import Asked

COLLECT, LOAD, VIEW = "lake.crm", "lake.crm:load", "lake.a.v"
STAGED, TABLE = "lake.crm.t000:staged", "lake.crm.t000"
DATASETS = {COLLECT: STAGED, LOAD: TABLE, VIEW: VIEW}
TABLE_NAME, BUCKET = "metadata", "data"
PASSES = {TABLE: LOAD}


@pytest.fixture(autouse=True, scope="module")
def few_moments() -> Iterator[None]:
    """A few hours are a long time here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "HOURS", 2)
        patch.setattr(retention, "DAYS", 1)
        yield


def applied(*, covers: bool = False, query: str = "SELECT 1") -> Program:
    found = program(1, views=(view(VIEW, TABLE, query=query),))
    return replace(
        found, flows={name: replace(flow, covers=covers and flow.mode != Mode.APPEND) for name, flow in found.flows.items()}
    )


@dataclass
class Lived:
    """A program's metadata, as it is made hour by hour.

    allowed: dataset ▸ of each ageing the horizon, and the moments before it, of which versions were to stay.
    """

    covers: bool = False
    clock: SettableClock = field(default_factory=lambda: SettableClock(FIRST.end + timedelta(minutes=1)))
    dynamodb: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    objects: dict[str, bytes] = field(default_factory=dict)
    made: int = 0
    allowed: dict[str, list[tuple[datetime, list[datetime]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        create_metadata_table(self.dynamodb, TABLE_NAME)
        self.writer = MetadataWriter(self.dynamodb, TABLE_NAME, self.clock)  # type: ignore[arg-type]
        self.reader = self.writer.reader
        apply(self.writer, applied(covers=self.covers))

    @property
    def rows(self) -> Any:
        return self.dynamodb.tables[TABLE_NAME]

    def all_due(self, *, changed: bool = True) -> list[tuple[DueBatch, int]]:
        """Makes all that is due; each batch with its token."""
        found = []
        while due := due_along(self.writer, self.clock):
            found += [(batch, self.make(batch, changed=changed)) for batch in due]
        return found

    def make(self, batch: DueBatch, *, changed: bool) -> int:
        if batch.advanced:
            self.writer.settle(self.reader.programs(), batch.flow)
        again = {"entry": batch.entry, "again_until": batch.again_until, "restated": batch.restated, "until": batch.until}
        return self.claimed(batch.flow, batch.interval, changed=changed or bool(batch.again_until), **again)

    def claimed(self, flow: str, interval: Interval, *, changed: bool = True, pointed: Any = None, **more: Any) -> int:
        """Claims a batch and commits it; its token."""
        self.made += 1
        found, dataset = self.reader.programs().with_flow(flow, interval.start), DATASETS[flow]
        assert found is not None
        version = found[0].version
        held = self.writer.claim(
            flow, interval, (dataset,), program_version=version, owner="one", lease_seconds=60, interval_seconds=HOUR, **more
        )
        commit = TableCommit(
            dataset, int(changed), pointer={"snapshot_id": self.made, **(pointed or {})} if changed else None, cursor=str(self.made)
        )
        self.writer.commit(held, [commit], completes=PASSES)
        return held.token

    # -- ageing

    def ageing(
        self, keep: timedelta, *, seconds: float = 900.0, client: Any = None, kind: type[Ageing] = Ageing
    ) -> tuple[Ageing, Any]:
        held = Retention(self.reader, self.clock())
        services = SimpleNamespace(
            dynamodb=client or self.dynamodb,
            reader=self.reader,
            clock=self.clock,
            s3=SimpleNamespace(put_object=lambda Bucket, Key, Body: self.objects.__setitem__(Key, Body)),
            environment=SimpleNamespace(atoll_metadata_table=TABLE_NAME, atoll_data_bucket=BUCKET),
        )
        return kind(services, held, SimpleNamespace(seconds_left=seconds)), held  # type: ignore[arg-type]

    def age(self, keep: timedelta, **more: Any) -> Mapping[str, int]:
        """Lets everything age that may."""
        run, held = self.ageing(keep, **more)
        for dataset in DATASETS.values():
            horizon = held.horizon(dataset, keep)
            self.allowed.setdefault(dataset, []).append((horizon, held.moments(horizon)))
        for flow, dataset in DATASETS.items():
            limits = held.ages_before(flow, keep)
            assert run.versions(dataset, limits[dataset], keep) and run.batches(flow, min(limits.values()))
        return run.done

    # -- what is there

    def count(self, prefix: str) -> int:
        return sum(sk.startswith(prefix) for _, sk in self.rows)

    def differences(self) -> list[Any]:
        """As the whole table tells it at once, and, the same, as it is told flow by flow."""
        found = differences(Facts.of(self.rows.values()), self.reader.programs(), self.clock.now)
        assert set(self.verified().differences) == set(found)
        return found

    def verified(self, notes: Notes | None = None, client: Any = None) -> Verified:
        asked: Any = client or self.dynamodb
        return verify(asked, TABLE_NAME, lambda _: {}, notes=notes, clock=self.clock)

    def history(self) -> list[dict[str, Any]]:
        return [row for body in self.objects.values() for row in parquet.read_table(BytesIO(body)).to_pylist()]


def days(hours: int) -> Lived:
    """So many hours of all flows, each batch with a version."""
    rows, now, made = _past(hours)
    lived = Lived(made=made)
    lived.dynamodb.tables[TABLE_NAME], lived.clock.now = dict(rows), now
    return lived


@cache
def _past(hours: int) -> tuple[Rows, datetime, int]:
    lived = Lived()
    for _ in range(hours):
        lived.all_due()
        lived.clock.advance(hours=1)
    return dict(lived.rows), lived.clock.now, lived.made


KEEP = timedelta(hours=3)


# -- what goes, and what stays


def test_batches_and_versions_that_nobody_looks_back_at_go_and_what_is_kept_stays() -> None:
    lived = days(48)
    lived.age(KEEP)
    assert 1 < lived.count("BATCH#") / 3 < 5 and lived.count("BATCH#") == lived.count("TABLE#")
    for dataset in DATASETS.values():
        versions = lived.reader.versions_after(dataset, START)
        kept = {v.interval.end for v in Retention(lived.reader, lived.clock.now).kept(dataset, KEEP)}
        assert kept <= {v.interval.end for v in versions} and len(versions) <= len(kept) + 2
        assert lived.reader.first_version(dataset).interval == FIRST  # type: ignore[union-attr]
    assert lived.differences() == []


@pytest.mark.deep
def test_a_verification_reads_only_events_of_days_that_have_batches_which_have_not_aged(tmp_path: Path) -> None:
    lived = days(96)
    lived.age(KEEP)
    asked, notes = Asked(lived.dynamodb), Notes(tmp_path / "notes")
    assert lived.verified(notes, asked).differences == ()
    made = sorted({pk for pk, _ in lived.rows if pk.startswith(keys.EVENT_PREFIX)})
    assert len(made) > 3 and [pk for pk in made if asked.partitions[pk]] == made[-2:], "the last one, and a day before"
    noted = [done for group in groups(lived.reader.programs()) for done in notes.events(group)]
    aged = lived.reader.aged_batches_of(DATASETS)
    assert noted and all(done.interval.end > aged[done.flow].through for done in noted)
    for key in [k for k, item in lived.rows.items() if k[0] == made[-1] and item["kind"]["S"] == EventKind.BATCH_COMPLETED]:
        del lived.rows[key]
    assert {one.kind for one in lived.differences()} == {Kind.EVENT}


def test_what_is_left_is_bounded_however_long_it_lives() -> None:
    lived, left = days(0), list[int]()
    for _ in range(6):
        for _ in range(24):
            lived.all_due()
            lived.clock.advance(hours=1)
        lived.age(KEEP)
        left.append(sum(lived.count(kind) for kind in ("BATCH#", "TABLE#", "VERSION#")))
    assert left[1:] == [left[1]] * 5


def test_each_batch_that_is_gone_is_a_row_in_the_lake() -> None:
    lived = days(30)
    before = {(t["flow"], t["start"]): t for t in map(items.from_item, lived.rows.values()) if t["sk"].startswith("TABLE#")}
    lived.age(KEEP)
    left = {(t["flow"], t["start"]) for t in map(items.from_item, lived.rows.values()) if t["sk"].startswith("TABLE#")}
    rows = {(row["flow"], to_text(row["start"])): row for row in lived.history()}
    assert rows.keys() == before.keys() - left and len(lived.history()) == len(rows)
    one = rows[LOAD, to_text(FIRST.start)]
    assert (one["dataset"], one["status"], one["rows"], one["token"], one["end"]) == (TABLE, "COMMITTED", 1, 1, FIRST.end)
    assert one["pointer"] == '{"snapshot_id": 2}' and all(key.startswith("history/") for key in lived.objects)
    for flow in DATASETS:
        aged = lived.reader.aged_batches(flow)
        assert aged and aged.batches == sum(row["flow"] == flow for row in rows.values()) and aged.first == FIRST.start


def test_ageing_again_changes_nothing() -> None:
    lived = days(30)
    lived.age(KEEP)
    before, objects = dict(lived.rows), dict(lived.objects)
    assert not sum(lived.age(KEEP).values())
    assert (lived.rows, lived.objects) == (before, objects)


def test_what_somebody_is_at_work_on_stays_with_what_its_tables_share() -> None:
    lived = days(30)
    args: Any = {"program_version": "v", "owner": "two", "lease_seconds": 60, "rerun": True}
    held = lived.writer.claim(COLLECT, FIRST, (STAGED,), **args)
    for minutes in (0, 2):  # an execution that is given up may have a function that goes on
        lived.clock.advance(minutes=minutes)
        lived.age(KEEP)
        assert lived.reader.batch(COLLECT, FIRST.start) and lived.differences() == []
    lived.writer.renew(held, 60)
    lived.clock.advance(seconds=LEASE_SECONDS + 61)
    lived.age(KEEP)
    assert lived.reader.batch(COLLECT, FIRST.start) is None
    with pytest.raises(StaleToken):
        lived.writer.renew(held, 60)
    with pytest.raises(StaleToken):
        lived.writer.commit(held, [TableCommit(STAGED)])


def test_a_batch_of_which_a_target_has_refused_rows_stays_as_long_as_these_do() -> None:
    lived = days(30)
    lived.claimed(VIEW, FIRST, rerun=True, pointed={"rejected": [{"key": "rejected/harness.x/file", "rows": 1}]})
    lived.clock.advance(hours=1)
    for days_later in (0, REJECTED_DAYS):
        lived.clock.advance(days=days_later)
        lived.age(KEEP)
        assert (lived.reader.batch(VIEW, FIRST.start) is None) == bool(days_later) and lived.differences() == []


def test_inputs_of_a_reader_that_stands_still_do_not_age() -> None:
    lived = Lived()
    for _ in range(30):
        lived.clock.advance(hours=1)
        for batch in [b for _ in range(2) for b in due_along(lived.writer, lived.clock) if b.flow != VIEW]:
            if standing(lived.writer, flow=batch.flow, dataset=DATASETS[batch.flow]).watermark == batch.interval.start:
                lived.make(batch, changed=True)
    first = standing(lived.writer, flow=VIEW, dataset=VIEW).watermark
    lived.age(KEEP)
    assert lived.reader.version_at(TABLE, first + timedelta(hours=1))
    assert lived.reader.versions_after(TABLE, first)[0].interval.start <= first


# -- tokens


def test_tokens_of_batches_that_have_aged_go_on() -> None:
    lived = days(30)
    tokens = [lived.claimed(COLLECT, FIRST, rerun=True) for _ in range(3)]
    lived.clock.advance(hours=1)
    lived.age(KEEP)
    assert lived.reader.batch(COLLECT, FIRST.start) is None
    assert lived.claimed(COLLECT, FIRST, rerun=True) > max(tokens)
    assert lived.differences() == []


def test_a_batch_that_was_committed_and_has_aged_is_not_made_by_a_late_start() -> None:
    lived = days(30)
    lived.age(KEEP)
    for flow in DATASETS:
        with pytest.raises(AlreadyCommitted):
            lived.claimed(flow, FIRST)


# -- reading


def test_a_moment_whose_version_is_forgotten_is_an_error_that_says_what_to_do() -> None:
    lived = days(48)
    lived.age(KEEP)
    forgotten = START + timedelta(hours=20)
    for asked in (
        lambda: lived.reader.version_at(TABLE, forgotten),
        lambda: lived.reader.covering_version(TABLE, forgotten),
        lambda: lived.reader.last_version_within(TABLE, Interval(START + timedelta(hours=10), forgotten)),
        lambda: lived.reader.first_version_within(TABLE, Interval(START + timedelta(hours=1), forgotten)),
    ):
        with pytest.raises(DefinitionError, match=f"the version of {TABLE} as of .*kept no longer") as refused:
            asked()
        assert "run the batch" in str(refused.value) and "or later" in str(refused.value)
    lived.claimed(LOAD, Interval(forgotten - timedelta(hours=1), forgotten), rerun=True)
    assert lived.reader.version_at(TABLE, forgotten)
    with pytest.raises(DefinitionError):
        lived.reader.version_at(TABLE, forgotten + timedelta(hours=1))


def test_a_version_that_is_made_again_still_knows_which_one_followed_it() -> None:
    lived = days(48)
    lived.age(KEEP)
    (before,) = [v for v in [lived.reader.version_at(TABLE, FIRST.end)] if v]
    assert before.followed_by
    lived.claimed(LOAD, FIRST, rerun=True)
    made = lived.reader.version_at(TABLE, FIRST.end)
    assert made and made.token > before.token and made.followed_by == before.followed_by
    with pytest.raises(DefinitionError, match="kept no longer"):
        lived.reader.first_version_within(TABLE, Interval(FIRST.end, before.followed_by.end))


def hourly(lived: Lived, hours: int, *, changed: bool = True) -> None:
    for _ in range(hours):
        lived.clock.advance(hours=1)
        lived.all_due(changed=changed)


def test_a_version_that_was_made_in_a_hole_and_is_forgotten_is_not_answered_by_the_one_before() -> None:
    lived = Lived()
    lived.all_due()
    hourly(lived, 3, changed=False)
    hourly(lived, 20)
    lived.age(KEEP)
    later = START + timedelta(hours=4)
    assert lived.reader.version_at(TABLE, later).interval == FIRST  # type: ignore[union-attr]
    lived.clock.advance(minutes=2)
    lived.claimed(LOAD, Interval(START + timedelta(hours=2), START + timedelta(hours=3)), rerun=True)
    for _ in range(2):
        with pytest.raises(DefinitionError):
            lived.reader.version_at(TABLE, later)
        lived.age(KEEP)
    assert len([v for v in lived.reader.versions_after(TABLE, START) if v.interval.end < later]) == 1


def test_a_moment_inside_of_a_batch_whose_version_is_forgotten_is_not_answered_by_the_one_before() -> None:
    lived = Lived(covers=True)
    lived.all_due()
    lived.clock.advance(hours=5)
    lived.all_due()
    hourly(lived, 20)
    inside = START + timedelta(hours=3)
    assert lived.reader.covering_version(TABLE, inside).interval.end == START + timedelta(hours=6)  # type: ignore[union-attr]
    lived.age(KEEP)
    assert lived.reader.version_at(TABLE, inside).interval == FIRST  # type: ignore[union-attr]
    with pytest.raises(DefinitionError):
        lived.reader.covering_version(TABLE, inside)


def test_of_a_version_that_was_made_among_forgotten_ones_nobody_knows_what_followed_it() -> None:
    lived = days(20)
    lived.age(KEEP)
    lived.claimed(LOAD, Interval(START + timedelta(hours=5), START + timedelta(hours=6)), rerun=True)
    made, following = lived.reader.versions_after(TABLE, START + timedelta(hours=5))[:2]
    before = lived.reader.forgotten_before(TABLE)
    assert before and made.interval.end < before and not ageing._is_to_be_told(made, following, before)
    assert ageing._is_to_be_told(following, following, following.interval.end)


def test_a_restatement_that_would_read_what_is_forgotten_is_refused_and_the_boundary_that_is_told_is_accepted() -> None:
    lived = days(48)
    lived.age(KEEP)
    changed = applied(query="SELECT 2")

    def restate(since: datetime, keep: timedelta) -> None:
        moment = moment_of(lived.reader, changed, lived.clock.now, restate_from=since)
        refuse_what_is_forgotten(lived.reader, changed, moment, lived.clock.now, lambda program, flow: keep)

    for keep in (KEEP, timedelta(days=30)):  # also of who has just raised it
        with pytest.raises(InputError, match="kept no longer") as refused:
            restate(START + timedelta(hours=20), keep)
        told = refused.value.remedy.split()[1]
        restate(datetime.fromisoformat(told), keep)


def test_a_collect_is_made_again_from_before_what_has_aged_with_all_that_reads_it() -> None:
    lived = days(48)
    lived.age(KEEP)
    wanted = applied()
    collect = replace(wanted.flows[COLLECT], filter="amount > 0")
    scheduled(lived.writer, replace(wanted, flows={**wanted.flows, COLLECT: collect}), START + timedelta(hours=5), restates=True)
    lived.clock.advance(minutes=1)
    for number in range(2000):
        due = due_along(lived.writer, lived.clock)
        if not due:
            break
        assert lived.make(due[0], changed=True) > 1 or due[0].interval.start >= START + timedelta(hours=44)
        if number % 11 == 0:
            assert lived.differences() == [], due[0]
            lived.age(KEEP)
            assert lived.differences() == [], due[0]
    assert standing(lived.writer, flow=VIEW, dataset=VIEW).watermark == START + timedelta(hours=49)
    lived.age(KEEP)
    assert lived.differences() == []
    assert all(lived.reader.version_at(dataset, START + timedelta(hours=47)) for dataset in DATASETS.values())


# -- verifying


def test_a_batch_that_is_lost_is_found_beside_those_that_have_aged() -> None:
    lived = days(48)
    lived.age(KEEP)
    aged = lived.reader.aged_batches(LOAD)
    assert aged
    for key in (keys.batch(LOAD, aged.through), keys.batch_table(LOAD, aged.through, TABLE)):
        del lived.rows[key["pk"], key["sk"]]
    assert {(one.flow, one.dataset) for one in lived.differences()} == {(LOAD, TABLE)}
    for key in [key for key in lived.rows if key[0].startswith(keys.EVENT_PREFIX)]:
        del lived.rows[key]
    assert "batches are missing" in {one.kind.value for one in lived.differences()}


def test_a_watermark_that_was_set_back_to_before_what_has_aged_is_found() -> None:
    lived = days(48)
    lived.age(KEEP)
    key = keys.state(LOAD, TABLE)
    lived.rows[key["pk"], key["sk"]]["table"]["M"]["watermark"] = {"S": to_text(START + timedelta(hours=5))}
    assert {one.kind.value for one in lived.differences()} == {"the watermark differs"}


# -- interrupted, and twice at once


class DiesAt:
    """A client whose so manieth write is not made, nor any after it."""

    def __init__(self, client: MemoryDynamoDB, number: int) -> None:
        self._client, self.left = client, number

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in ("update_item", "delete_item"):
            return call

        def counted(**arguments: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return call(**arguments)

        return counted


@pytest.mark.parametrize("number", range(0, 190, 19))
def test_a_run_that_dies_anywhere_leaves_what_is_right_and_the_next_one_goes_on(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ageing, "beside_one_another", lambda call, given: [call(one) for one in given])
    whole, lived = days(24), days(24)
    with pytest.raises(KeyboardInterrupt):
        lived.age(KEEP, client=DiesAt(lived.dynamodb, number))
    assert lived.differences() == []
    compare(lived, whole)
    lived.age(KEEP)
    assert lived.differences() == []
    compare(lived, whole)
    assert {(row["flow"], row["start"]) for row in lived.history()} >= gone(whole, lived)


def test_a_run_whose_time_is_short_says_so_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ageing, "ITEMS_AT_ONCE", 5)
    lived = days(24)
    run, held = lived.ageing(KEEP, seconds=30)
    before, limits = dict(lived.rows), held.ages_before(COLLECT, KEEP)
    assert not run.versions(STAGED, limits[STAGED], KEEP) and not run.batches(COLLECT, limits[STAGED])
    assert lived.rows == before
    lived.age(KEEP)
    assert lived.count("BATCH#") / 3 < 5 and lived.differences() == []


def gone(whole: Lived, lived: Lived) -> set[tuple[str, datetime]]:
    """The batches that are recorded there and not here."""
    both = (Facts.of(one.rows.values()).heads for one in (whole, lived))
    return set(next(both)) - set(next(both))


# -- any history


def answer(asked: Any, *about: Any) -> Any:
    """Which version that is; 'forgotten' where it is kept no longer."""
    try:
        found: Version | None = asked(*about)
    except DefinitionError:
        return "forgotten"
    return found and (found.interval, dict(found.pointer))


def compare(lived: Lived, whole: Lived) -> None:
    """Every answer is the one that is given where nothing ages, or that it is forgotten; what is kept is not."""
    for dataset in DATASETS.values():
        readers, allowed = [versions_of(one, dataset) for one in (lived, whole)], lived.allowed.get(dataset, [])
        for hour in range(int((lived.clock.now - START) / HOUR_LONG) + 2):
            moment = START + hour * HOUR_LONG
            within = Interval(moment - 2 * HOUR_LONG, moment)
            for question, about in QUESTIONS.items():
                now, always = (answer(getattr(one, question), dataset, moment if about == "moment" else within) for one in readers)
                assert now in (always, "forgotten"), f"{question} of {dataset} at {moment}"
                kept = all(within.start >= horizon for horizon, _ in allowed) or (
                    question == "version_at" and all(moment >= horizon or moment in moments for horizon, moments in allowed)
                )
                assert not kept or now == always, f"{question} of {dataset} at {moment}"


def versions_of(lived: Lived, dataset: str) -> MetadataReader:
    """A reader to which there is nothing but these."""
    memory, pk = MemoryDynamoDB(), keys.schema(dataset, 0)["pk"]
    memory.tables[TABLE_NAME] = {key: item for key, item in lived.rows.items() if key[0] == pk}
    return MetadataReader(memory, TABLE_NAME, lived.clock)  # type: ignore[arg-type]


HOUR_LONG = timedelta(hours=1)
QUESTIONS = {
    "version_at": "moment",
    "covering_version": "moment",
    "first_version_within": "interval",
    "last_version_within": "interval",
}
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 6), st.booleans()),
    st.tuples(st.just("again"), st.sampled_from(sorted(DATASETS)), st.integers(0, 60), st.booleans()),
    st.tuples(st.just("restate"), st.integers(0, 40)),
    st.tuples(st.just("age"), st.integers(0, 12)),
)


@pytest.mark.timeout(900)
@pytest.mark.budget(60)
@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(covers=st.booleans(), steps=st.lists(STEPS, min_size=4, max_size=10))
@example(covers=True, steps=[("pass", 1, False), ("restate", 1), ("pass", 1, False)])  # it cuts what was made as one, unchanged
def test_after_any_history_every_answer_is_as_without_ageing_or_an_error(covers: bool, steps: list[tuple[Any, ...]]) -> None:
    lived, whole = Lived(covers), Lived(covers)
    tokens, restated = dict[tuple[str, datetime], int](), False
    for step in [*steps, ("age", 1)]:
        if step[0] == "age":
            lived.age(timedelta(hours=step[1]))
            compare(lived, whole)
        elif step[0] == "restate" and not restated:
            restated = True
            for one in (lived, whole):
                wanted = applied(covers=covers)
                flows = {**wanted.flows, COLLECT: replace(wanted.flows[COLLECT], filter="x")}
                boundary = START + min(timedelta(hours=step[1]), (one.clock.now - START) // HOUR_LONG * HOUR_LONG)
                scheduled(one.writer, replace(wanted, flows=flows), boundary, restates=True)
        elif step[0] == "again":
            again(lived, whole, tokens, *step[1:])
        elif step[0] == "pass":
            passes(lived, whole, tokens, *step[1:])
        assert lived.differences() == whole.differences() == []
    compare(lived, whole)


def test_nothing_differs_where_what_is_made_again_begins_inside_of_a_batch_that_covers_several() -> None:
    lived = Lived(covers=True)
    for hours in (3, 5):
        lived.clock.advance(hours=hours)
        lived.all_due()
    assert lived.reader.batches_between(LOAD, START, lived.clock.now)[-1].start < START + timedelta(hours=7)
    wanted = applied(covers=True)
    flows = {**wanted.flows, COLLECT: replace(wanted.flows[COLLECT], filter="x")}
    scheduled(lived.writer, replace(wanted, flows=flows), START + timedelta(hours=7), restates=True)
    assert lived.differences() == []
    while due := due_along(lived.writer, lived.clock):
        lived.make(due[0], changed=True)
        assert lived.differences() == []
    assert {state.watermark for flow in lived.reader.flow_states(DATASETS).values() for state in flow.tables.values()} == {
        lived.clock.now.replace(minute=0)
    }


def passes(lived: Lived, whole: Lived, tokens: dict[tuple[str, datetime], int], hours: int, changed: bool) -> None:
    for one in (lived, whole):
        one.clock.advance(hours=hours)
    for batch, token in lived.all_due(changed=changed):
        assert token > tokens.get((batch.flow, batch.interval.start), 0)
        tokens[batch.flow, batch.interval.start] = token
    whole.all_due(changed=changed)
    whole.made = lived.made


def again(lived: Lived, whole: Lived, tokens: dict[tuple[str, datetime], int], flow: str, number: int, changed: bool) -> None:
    """An operator runs a batch again that was made."""
    made = whole.reader.batches_between(flow, START, whole.clock.now)
    if not made:
        return
    interval = made[number % len(made)]
    for one in (lived, whole):
        one.clock.advance(minutes=2)  # no lease runs
    token = lived.claimed(flow, interval, changed=changed, rerun=True)
    whole.claimed(flow, interval, changed=changed, rerun=True)
    assert token > tokens.get((flow, interval.start), 0)
    tokens[flow, interval.start] = token
    whole.made = lived.made
