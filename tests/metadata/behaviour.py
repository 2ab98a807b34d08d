"""What the metadata layer promises, whatever emulates DynamoDB: one suite, inherited for each emulation with a `dynamodb` fixture."""

from __future__ import annotations

import itertools
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from shared_metadata.errors import AlreadyCommitted, DefinitionError, InputError, RetryLater, StaleToken
from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.intervals import Interval
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, DatasetLineage, Lineage
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.state.effect import Effect
from shared_metadata.state.entries import Timeline
from shared_metadata.state.records import MAX_ATTEMPTS, Claim, DeadLetter, EventKind, TableCommit, TableStatus, Wait
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.store import items, keys
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.writer import MetadataWriter
from tests.conformance.fixtures import SettableClock, create_metadata_table

PLACE = Position("program.sql", 1, 1)
HOUR = 3600
START = datetime(2026, 11, 23, 11, tzinfo=UTC)
FIRST = Interval(START, START + timedelta(hours=1))
SECOND = Interval(FIRST.end, FIRST.end + timedelta(hours=1))


def program(tables: int = 1, *, filler: int = 0, views: tuple[Flow, ...] = ()) -> Program:
    """Collects `tables` tables, loads them, and whatever `views` make of them."""
    names = [f"lake.crm.t{number:03d}" for number in range(tables)]
    collect = Flow(
        "lake.crm", Kind.COLLECT, "collect.test", "lake", HOUR, tuple(Table(f"{n}:staged", source=n) for n in names), PLACE,
        connection="crm", mode=Mode.MERGE, key=("id",),
    )  # fmt: skip
    loads = tuple(Table(name, inputs=(f"{name}:staged",)) for name in names)
    load = Flow("lake.crm:load", Kind.LOAD, "organize.test", "lake", HOUR, loads, PLACE, mode=Mode.MERGE, key=("id",))
    noise = random.Random(1).randbytes(filler).hex()
    flows = {flow.id: flow for flow in (collect, load, *views)}
    connections = {"crm": Connection("crm", "test", {"secret": "crm", **({"filler": noise} if filler else {})}, PLACE)}
    return Program(connections, {"lake": Warehouse("lake", "test", {}, PLACE)}, flows)


def view(name: str, *inputs: str, seconds: int = HOUR, query: str = "SELECT 1") -> Flow:
    return Flow(name, Kind.VIEW, "organize.test", "lake", seconds, (Table(name, inputs=inputs),), PLACE, query=query)


class LosesAnswers:
    """A client whose named calls are done, but answered with a timeout the first time."""

    def __init__(self, client: Any, *names: str) -> None:
        self._client, self._names = client, set(names)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in self._names:
            return call

        def lossy(**arguments: Any) -> Any:
            self._names.discard(name)
            call(**arguments)
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

        return lossy


class Interrupts:
    """A client that runs something else just before a call is sent."""

    def __init__(self, client: Any, name: str, meanwhile: Callable[[], None]) -> None:
        self._client, self._name, self._meanwhile = client, name, iter((meanwhile,))

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            next(self._meanwhile, lambda: None)()
        return getattr(self._client, name)


class DiesAtThe:
    """A client whose process dies just before the so manieth of its named calls."""

    def __init__(self, number: int, client: Any, name: str) -> None:
        self._left, self._client, self._name = number, client, name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            self._left -= 1
            if not self._left:
                raise KeyboardInterrupt
        return getattr(self._client, name)


class MetadataBehaviour:
    """Inherit it and give a `dynamodb` client."""

    @pytest.fixture
    def table(self, dynamodb: Any) -> Iterator[str]:
        name = f"metadata-{uuid.uuid4().hex[:12]}"
        create_metadata_table(dynamodb, name)
        yield name
        dynamodb.delete_table(TableName=name)

    @pytest.fixture
    def clock(self) -> SettableClock:
        return SettableClock(FIRST.end + timedelta(minutes=1))

    @pytest.fixture
    def writer(self, dynamodb: Any, table: str, clock: SettableClock) -> MetadataWriter:
        return MetadataWriter(dynamodb, table, clock)

    # -- claim

    def test_a_claim_gives_rising_tokens(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        first = claim(writer)
        clock.advance(seconds=61)
        assert claim(writer, owner="other").token == first.token + 1

    def test_a_batch_that_is_being_run_is_refused_until_its_lease_lapses(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        claim(writer, owner="one")
        with pytest.raises(RetryLater, match="one") as caught:
            claim(writer, owner="two")
        assert caught.value.after_seconds == 60
        clock.advance(seconds=61)
        claim(writer, owner="two")

    def test_its_owner_claims_a_batch_again_at_once(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        assert claim(writer, owner="one").token + 1 == claim(writer, owner="one").token

    def test_a_renewed_lease_holds_others_off(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        held = claim(writer, owner="one")
        clock.advance(seconds=50)
        writer.renew(held, 60)
        clock.advance(seconds=50)
        with pytest.raises(RetryLater):
            claim(writer, owner="two")

    def test_what_a_batch_waits_for_is_seen_until_it_is_renewed_without(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program(2))
        held = claim(writer, "t000", "t001")
        waits = Wait("query 1", "load", clock(), clock() + timedelta(seconds=30))
        writer.renew(replace(held, datasets=(staged("t000"),)), 60, waits)
        assert seen(writer) == {staged("t000"): waits, staged("t001"): None}
        writer.renew(held, 60)  # who has not waited leaves what another part of the table has noted
        assert seen(writer)[staged("t000")] == waits
        for _ in range(2):  # whose answer was lost, says so again
            writer.renew(held, 60, waited=True)
            assert set(seen(writer).values()) == {None}
        writer.renew(held, 60, waits)
        clock.advance(seconds=61)
        claim(writer, "t000", owner="other")
        assert seen(writer)[staged("t000")] is None
        stale = replace(held, datasets=(staged("t000"),))
        for attempt in (lambda: writer.renew(stale, 60, waits), lambda: writer.renew(stale, 60, waited=True)):
            with pytest.raises(StaleToken):
                attempt()
        assert seen(writer)[staged("t000")] is None

    def test_a_stale_token_can_neither_renew_nor_commit_nor_fail(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        stale = claim(writer, owner="one")
        clock.advance(seconds=61)
        newer = claim(writer, owner="two")
        for attempt in (lambda: writer.renew(stale, 60), lambda: commit(writer, stale), lambda: fail(writer, stale)):
            with pytest.raises(StaleToken):
                attempt()
        commit(writer, newer)
        with pytest.raises(StaleToken):
            commit(writer, stale)
        assert standing(writer).watermark == FIRST.end

    def test_two_who_claim_at_once_get_one_claim(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        apply(writer, program())
        slow = MetadataWriter(Interrupts(dynamodb, "put_item", lambda: claim(writer, owner="fast") and None), table, clock)
        with pytest.raises(RetryLater):
            claim(slow, owner="slow")

    def test_a_failed_table_is_claimed_while_another_of_its_batch_runs_on(self, writer: MetadataWriter) -> None:
        apply(writer, program(2))
        both = claim(writer, "t000", "t001", owner="one")
        fail(writer, both, "t000")
        again = claim(writer, "t000", owner="two")
        commit(writer, both, "t001")
        commit(writer, again, "t000")
        assert standing(writer, "t000").watermark == standing(writer, "t001").watermark == FIRST.end
        assert batch_status(writer) == "COMMITTED"

    def test_an_outcome_written_while_another_table_is_claimed_is_kept(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        apply(writer, program(2))
        both = claim(writer, "t000", "t001", owner="one")
        fail(writer, both, "t000")
        late = MetadataWriter(Interrupts(dynamodb, "update_item", lambda: commit(writer, both, "t001")), table, clock)
        claim(late, "t000", owner="two")
        found = writer.reader.batch("lake.crm", FIRST.start)
        assert found and found.outcomes[staged("t001")].status == TableStatus.COMMITTED

    def test_a_claim_of_some_tables_leaves_the_items_of_all_others_alone(self, writer: MetadataWriter) -> None:
        apply(writer, program(3))
        claim(writer, "t000")
        before = {key: item for key, item in items_of(writer, "lake.crm").items() if "t001" in key or key.startswith("BATCH#")}
        held = claim(writer, "t002")
        writer.renew(held, 60)
        commit(writer, held, "t002", rows=1)
        assert {key: item for key, item in items_of(writer, "lake.crm").items() if key in before} == before
        assert writer.reader.batch("lake.crm", FIRST.start, [staged("t002")]).datasets == (staged("t002"),)  # type: ignore[union-attr]

    def test_of_two_who_claim_the_same_tables_at_once_the_first_gets_all_of_them(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        names = tuple(f"t{number:03d}" for number in range(130))
        apply(writer, program(130))
        claim(writer, "t129")  # the item of what they share is there
        clock.advance(seconds=61)
        late = MetadataWriter(Interrupts(dynamodb, "transact_write_items", lambda: claim(writer, *names, owner="one")), table, clock)
        with pytest.raises(RetryLater, match="just now"):
            claim(late, *names, owner="two")
        found = writer.reader.batch("lake.crm", FIRST.start)
        assert found and {worker.owner for worker in found.workers.values()} == {"one"} and len(found.workers) == 130

    def test_a_claim_that_died_half_way_is_made_whole_by_its_owner_with_higher_tokens(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        names = tuple(f"t{number:03d}" for number in range(250))
        apply(writer, program(250))
        dies = MetadataWriter(DiesAtThe(2, dynamodb, "transact_write_items"), table, clock)
        with pytest.raises(KeyboardInterrupt):
            claim(dies, *names)
        found = writer.reader.batch("lake.crm", FIRST.start)
        assert found and 0 < len(found.workers) < 250
        with pytest.raises(RetryLater):
            claim(writer, *names, owner="two")
        assert claim(writer, *names).token == 2
        found = writer.reader.batch("lake.crm", FIRST.start)
        assert found and [worker.token for worker in found.workers.values()] == [2] * 250

    def test_tokens_go_on_where_what_the_tables_share_is_gone(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        first = claim(writer)
        writer._client.delete_item(TableName=writer._table, Key=items.to_item(keys.batch("lake.crm", FIRST.start)))
        clock.advance(seconds=61)
        assert claim(writer, owner="other").token == first.token + 1

    # -- commit

    def test_a_commit_moves_watermark_cursor_version_schema_and_event_together(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        held = claim(writer)
        schema = Schema((SchemaColumn("id", "long"), SchemaColumn("name", "string")))
        pointer = {"manifest": "staging/x", "size": 1.5}
        writer.commit(held, [TableCommit(staged("t000"), 7, 70, 0.5, "c1", pointer, schema, {"format": "parquet"}, {"a": "b"})])
        state, version = standing(writer), writer.reader.version_of(staged("t000"), FIRST.end)
        assert (state.watermark, state.cursor, state.attempts) == (FIRST.end, "c1", 0)
        assert version and (version.pointer, version.rows, version.schema_version, version.reads) == (pointer, 7, 1, {"a": "b"})
        registered = writer.reader.latest_schema(staged("t000"))
        assert registered and (registered.number, registered.schema, registered.layout) == (1, schema, {"format": "parquet"})
        kinds = [event.kind for event in events(writer)]
        assert sorted(kinds) == [EventKind.BATCH_COMPLETED, EventKind.PROGRAM_ACTIVATED, EventKind.SCHEMA_CHANGED]
        assert writer.reader.statistics("lake.crm")[0]["rows"] == 7

    def test_a_commit_tells_of_however_many_expectations_that_failed(self, writer: MetadataWriter) -> None:
        """A transaction takes a hundred actions, and a table may have as many expectations as its program says."""
        apply(writer, program(16))
        names = [f"t{number:03d}" for number in range(16)]
        held = claim(writer, *names)
        notes = tuple({"name": f"e{number}", "action": "WARN", "failing": number, "rows": 200} for number in range(150))
        commits = [
            TableCommit(staged(n), rows=200, pointer={"v": 1}, schema=Schema((SchemaColumn("id", "long"),)), notes=notes)
            for n in names
        ]
        writer.commit(held, commits)
        told = writer.reader.failed_expectations("lake.crm", FIRST.start)
        assert Counter(event.detail["name"] for event in told) == {note["name"]: 16 for note in notes}
        assert {(event.detail["token"], event.detail["rows"]) for event in told} == {(held.token, 200)}

    def test_a_repeated_commit_changes_nothing(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        held = claim(writer)
        commit(writer, held, cursor="c1")
        before = (standing(writer), events(writer))
        clock.advance(seconds=5)
        commit(writer, held, cursor="c1")
        assert (standing(writer), events(writer)) == before

    def test_a_committed_batch_cannot_be_claimed_but_by_a_rerun(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        commit(writer, claim(writer), cursor="c1")
        with pytest.raises(AlreadyCommitted):
            claim(writer, owner="two")
        again = claim(writer, owner="two", rerun=True)
        commit(writer, again, cursor="c2", rows=3)
        assert (standing(writer).watermark, standing(writer).cursor) == (FIRST.end, "c1")
        version = writer.reader.version_of(staged("t000"), FIRST.end)
        assert version and (version.rows, version.token) == (3, 2)

    def test_a_failing_rerun_counts_no_attempt(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        commit(writer, claim(writer))
        fail(writer, claim(writer, rerun=True))
        assert standing(writer).attempts == 0

    def test_a_backfill_ahead_of_the_watermark_does_not_take_the_batch_from_its_own_run(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        commit(writer, claim(writer, rerun=True))
        assert standing(writer).watermark == FIRST.start
        commit(writer, claim(writer))
        assert standing(writer).watermark == FIRST.end

    def test_a_failure_is_counted_once_and_delays_the_next_attempt(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        held = claim(writer)
        for _ in range(2):
            fail(writer, held)
        state = standing(writer)
        assert (state.attempts, state.retry_at, state.error) == (1, clock.now + timedelta(seconds=15), "it broke")
        assert [e.kind for e in events(writer)].count(EventKind.BATCH_FAILED) == 1
        commit(writer, claim(writer))
        assert (standing(writer).attempts, standing(writer).retry_at) == (0, None)

    def test_a_failure_reported_after_the_commit_changes_nothing(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        held = claim(writer)
        commit(writer, held)
        fail(writer, held)
        assert standing(writer).attempts == 0
        assert batch_status(writer) == "COMMITTED"

    @pytest.mark.parametrize("call", ["transact_write_items"])
    def test_an_answer_that_is_lost_is_looked_up(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter, call: str
    ) -> None:
        apply(writer, program())
        held = claim(writer)
        lossy = MetadataWriter(LosesAnswers(dynamodb, call), table, clock)
        with pytest.raises(ReadTimeoutError):
            commit(lossy, held, cursor="c1")
        commit(lossy, held, cursor="c1")
        assert standing(writer).cursor == "c1"
        assert [e.kind for e in events(writer)].count(EventKind.BATCH_COMPLETED) == 1

    def test_a_claim_whose_answer_is_lost_is_claimed_again_by_its_owner(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        apply(writer, program())
        lossy = MetadataWriter(LosesAnswers(dynamodb, "put_item"), table, clock)
        with pytest.raises(ReadTimeoutError):
            claim(lossy)
        commit(lossy, claim(lossy))
        assert standing(writer).watermark == FIRST.end

    def test_a_commit_goes_on_when_another_table_of_its_flow_is_committed_meanwhile(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        apply(writer, program(2))
        held = claim(writer, "t000", "t001")
        other = Interrupts(dynamodb, "transact_write_items", lambda: commit(writer, held, "t001", cursor="c1"))
        commit(MetadataWriter(other, table, clock), held, "t000", cursor="c0")
        assert [standing(writer, name).cursor for name in ("t000", "t001")] == ["c0", "c1"]

    # -- empty batches

    def test_an_empty_batch_completes_its_load_as_well(self, writer: MetadataWriter) -> None:
        applied = apply(writer, program(2))
        held = claim(writer, "t000", "t001")
        passes = {t.dataset: "lake.crm:load" for t in applied.flows["lake.crm:load"].tables}
        writer.commit(
            held, [TableCommit(staged("t000")), TableCommit(staged("t001"), 1, pointer={"manifest": "m"})], completes=passes
        )
        loads = writer.reader.flow_states(["lake.crm:load"])["lake.crm:load"].tables
        assert loads["lake.crm.t000"].watermark == FIRST.end
        assert loads["lake.crm.t001"].watermark == FIRST.start
        assert writer.reader.version_of(staged("t000"), FIRST.end) is None

    def test_an_empty_batch_leaves_a_load_that_lags_behind(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        commit(writer, claim(writer), rows=1)
        clock.advance(hours=1)
        held = claim(writer, interval=SECOND)
        writer.commit(held, [TableCommit(staged("t000"))], completes={"lake.crm.t000": "lake.crm:load"})
        assert standing(writer, flow="lake.crm:load", dataset="lake.crm.t000").watermark == FIRST.start
        assert standing(writer).watermark == SECOND.end

    # -- many tables

    def test_a_flow_of_fifty_tables_is_claimed_and_committed(self, writer: MetadataWriter, clock: SettableClock) -> None:
        names = [f"t{number:03d}" for number in range(50)]
        apply(writer, program(50))
        held = claim(writer, *names)
        schema = Schema((SchemaColumn("id", "long"),))
        commits = [TableCommit(staged(n), 1, 1, cursor=n, pointer={"manifest": n}, schema=schema) for n in names]
        writer.commit(held, commits)
        tables = writer.reader.flow_states(["lake.crm"])["lake.crm"].tables
        assert {name: state.cursor for name, state in tables.items()} == {staged(n): n for n in names}
        assert batch_status(writer) == "COMMITTED"

    def test_many_tables_of_a_batch_are_claimed_again_after_they_failed(self, writer: MetadataWriter) -> None:
        names = [f"t{number:03d}" for number in range(130)]
        apply(writer, program(130))
        claim(writer, *names, "t000", owner="one")
        again = claim(writer, *names, owner="one")
        writer.commit(again, [TableCommit(staged(n)) for n in names])
        assert batch_status(writer) == "COMMITTED"

    # -- lost executions

    def test_a_lost_execution_counts_as_an_attempt_and_frees_its_batch(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        claim(writer, owner="dead")
        for _ in range(2):
            writer.record_lost("lake.crm", FIRST, [staged("t000")], "gone", attempt=0, owner="dead")
        assert standing(writer).attempts == 1
        claim(writer, owner="next")
        lost = [event.detail for event in events(writer) if event.kind == EventKind.BATCH_LOST]
        assert [(one["dataset"], one["attempts"], one["error"]) for one in lost] == [(staged("t000"), 1, "gone")]

    def test_a_lost_execution_changes_nothing_when_its_batch_went_on(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        held = claim(writer, owner="one")
        writer.record_lost("lake.crm", FIRST, [staged("t000")], "gone", attempt=0, owner="another")
        with pytest.raises(RetryLater):
            claim(writer, owner="two")
        commit(writer, held)
        writer.record_lost("lake.crm", FIRST, [staged("t000")], "gone", attempt=0, owner="one")
        assert standing(writer).attempts == 0

    # -- dead letters

    def test_the_last_attempt_makes_the_batch_a_dead_letter_with_its_event(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, program())
        for number in range(MAX_ATTEMPTS):
            assert standing(writer).dead_letter is None
            fail(writer, claim(writer, owner=f"execution {number}"))
        assert standing(writer).dead_letter == DeadLetter(clock.now, "execution 4")
        (event,) = [event for event in events(writer) if event.kind == EventKind.BATCH_DEAD]
        assert event.detail["dataset"] == staged("t000") and event.detail["error"] == "it broke"
        assert (event.detail["attempts"], event.detail["execution"]) == (5, "execution 4")

    def test_an_execution_that_is_lost_at_the_last_attempt_makes_a_dead_letter_once(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, program())
        for attempt in (0, 1, 2, 3, 4, 4):
            writer.record_lost("lake.crm", FIRST, [staged("t000")], "gone", attempt=attempt, owner=f"arn {attempt}")
        assert standing(writer).dead_letter == DeadLetter(clock.now, "arn 4") and standing(writer).error == "gone"
        assert [event.kind for event in events(writer)].count(EventKind.BATCH_DEAD) == 1

    def test_a_dead_batch_that_fails_by_hand_stays_the_same_dead_letter(self, writer: MetadataWriter, clock: SettableClock) -> None:
        dead(writer)
        died = clock.now
        clock.advance(hours=1)
        writer.fail(claim(writer), staged("t000"), "something else")
        assert standing(writer).dead_letter.at == died and standing(writer).error == "something else"
        assert [event.kind for event in events(writer)].count(EventKind.BATCH_DEAD) == 1

    def test_a_dead_letter_goes_with_the_commit_of_its_batch(self, writer: MetadataWriter, clock: SettableClock) -> None:
        applied = dead(writer)
        commit(writer, claim(writer))
        assert standing(writer).dead_letter is None and not standing(writer).stopped
        clock.advance(hours=1)
        assert [b.interval for b in due(writer, applied, clock) if b.flow == "lake.crm"] == [SECOND]

    def test_what_is_made_again_by_another_program_leaves_its_dead_letter_behind(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, program(1, views=(view("lake.a.v", "lake.crm.t000"),)))
        clock.now = SECOND.end + timedelta(minutes=1)
        for _ in range(4):
            for batch in due_along(writer, clock):
                if batch.flow != "lake.a.v" or batch.interval == FIRST:
                    run(writer, batch)
        for _ in range(MAX_ATTEMPTS):
            held = writer.claim("lake.a.v", SECOND, ["lake.a.v"], program_version="v", owner="one", lease_seconds=60)
            writer.fail(held, "lake.a.v", "it broke")
        assert standing(writer, flow="lake.a.v", dataset="lake.a.v").dead_letter
        scheduled(writer, program(1, views=(view("lake.a.v", "lake.crm.t000", query="SELECT 2"),)), FIRST.start, restates=True)
        run(writer, next(b for b in due_along(writer, clock) if b.flow == "lake.a.v"))
        assert standing(writer, flow="lake.a.v", dataset="lake.a.v").dead_letter is None
        assert [b.interval for b in due_along(writer, clock) if b.flow == "lake.a.v"] == [SECOND]

    def test_a_redriven_batch_is_due_at_once_under_a_new_name_and_has_all_its_attempts_again(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        applied = apply(writer, program())
        names = []
        for _ in range(2):
            for _ in range(MAX_ATTEMPTS):
                clock.advance(hours=1)
                names += [b.execution_name for b in due(writer, applied, clock)]
                fail(writer, claim(writer))
            assert due(writer, applied, clock) == []
            assert set(writer.dead_letters.redrive("lake.crm", [staged("t000")])) == {staged("t000")}
            assert len(due(writer, applied, clock)) == 1
        assert len(set(names)) == 2 * MAX_ATTEMPTS
        fail(writer, claim(writer))
        assert standing(writer).retry_at == clock.now + timedelta(seconds=15)

    def test_a_batch_is_redriven_once_however_many_ask(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        dead(writer)

        def by_somebody_else() -> None:
            assert writer.dead_letters.redrive("lake.crm", [staged("t000")])

        late = MetadataWriter(Interrupts(dynamodb, "transact_write_items", by_somebody_else), table, clock)
        assert late.dead_letters.redrive("lake.crm", [staged("t000")]) == {}
        assert writer.dead_letters.redrive("lake.crm", [staged("t000")]) == {}
        assert [event.kind for event in events(writer)].count(EventKind.BATCH_REDRIVEN) == 1

    def test_a_batch_that_is_committed_while_it_is_redriven_stays_committed(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        dead(writer)
        meanwhile = Interrupts(dynamodb, "transact_write_items", lambda: commit(writer, claim(writer), cursor="c1"))
        assert MetadataWriter(meanwhile, table, clock).dead_letters.redrive("lake.crm", [staged("t000")]) == {}
        assert (standing(writer).watermark, standing(writer).cursor) == (FIRST.end, "c1")

    def test_a_batch_that_makes_its_last_attempt_cannot_be_redriven_before_it_has_ended(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        for _ in range(MAX_ATTEMPTS - 1):
            fail(writer, claim(writer))
        held = claim(writer)
        assert writer.dead_letters.redrive("lake.crm", [staged("t000")]) == {}
        fail(writer, held)
        assert writer.dead_letters.redrive("lake.crm", [staged("t000")])

    def test_the_tables_of_a_flow_are_redriven_together_and_those_that_did_not_stop_are_left_alone(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        applied = dead(writer, "t000", "t001", tables=3)
        fail(writer, claim(writer, "t002"), "t002")
        before = standing(writer, "t002")
        wanted = [staged(name) for name in ("t000", "t001", "t002")]
        assert set(writer.dead_letters.redrive("lake.crm", wanted)) == set(wanted[:2])
        assert standing(writer, "t002") == before
        assert [b.datasets for b in due(writer, applied, clock)] == [tuple(wanted[:2])]

    def test_exactly_one_is_to_tell_people_of_a_dead_letter(self, writer: MetadataWriter) -> None:
        dead(writer)
        letters = writer.dead_letters
        found = letters.claim_notification("lake.crm", staged("t000"))
        assert found and found.dead_letter and letters.claim_notification("lake.crm", staged("t000")) is None
        letters.release_notification("lake.crm", staged("t000"), found.dead_letter)
        assert letters.claim_notification("lake.crm", staged("t000"))
        commit(writer, claim(writer))
        assert letters.claim_notification("lake.crm", staged("t000")) is None

    def test_an_empty_batch_completes_no_load_that_a_later_program_has_moved(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        collected = apply(writer, program())
        commit(writer, claim(writer), rows=1)
        run(writer, due_along(writer, clock)[0])
        clock.now = SECOND.end + timedelta(minutes=1)
        late = claim(writer, interval=SECOND)
        load = replace(collected.flows["lake.crm:load"], partition_by=("day",))
        scheduled(writer, replace(collected, flows={**collected.flows, load.id: load}), FIRST.start, restates=True)
        run(writer, next(batch for batch in due_along(writer, clock) if batch.flow == load.id))
        moved = standing(writer, flow=load.id, dataset="lake.crm.t000")
        assert (moved.watermark, moved.entry > late.entry) == (SECOND.start, True)
        writer.commit(late, [TableCommit(staged("t000"))], completes={"lake.crm.t000": load.id})
        assert standing(writer).watermark == SECOND.end
        assert standing(writer, flow=load.id, dataset="lake.crm.t000") == moved

    # -- programs

    def test_what_is_larger_than_an_item_is_refused_with_its_cause(self, writer: MetadataWriter) -> None:
        """A schema is one item."""
        apply(writer, program())
        wide = Schema(tuple(SchemaColumn(f"{'a_column_with_a_long_name_' * 8}{number}", "string") for number in range(1600)))
        with pytest.raises(DefinitionError, match="fewer columns"):
            writer.commit(claim(writer), [TableCommit(staged("t000"), 1, pointer={"manifest": "m"}, schema=wide)])
        assert batch_status(writer) == "RUNNING" and standing(writer).watermark == FIRST.start

    def test_a_program_larger_than_an_item_is_stored_and_read(self, writer: MetadataWriter) -> None:
        large = program(filler=500_000)
        apply(writer, large)
        assert MetadataReader(writer._client, writer._table).active_program() == large

    def test_a_program_keeps_what_is_known_of_its_columns(self, writer: MetadataWriter) -> None:
        known = lineage(columns=3_000)
        writer.put_program(program(1), known)
        writer.put_program(program(2))
        fresh = MetadataReader(writer._client, writer._table)
        read = fresh.lineage(program(1).version)
        assert read is not None and (dict(read.datasets), dict(read.sources)) == (known.datasets, known.sources)
        assert fresh.lineage(program(2).version) is None and fresh.program(program(1).version) == program(1)

    def test_a_schema_version_says_what_its_columns_are_made_from(self, writer: MetadataWriter) -> None:
        typed = program(1)
        writer.put_program(typed, lineage())
        writer.activate(typed, former_version="")
        schema, name = Schema((SchemaColumn("c0", "long"),)), "lake.crm.t000"
        for number, signature in enumerate(("a", "a", "b")):
            interval = Interval(START + timedelta(hours=number), START + timedelta(hours=number + 1))
            held = writer.claim("lake.crm:load", interval, (name,), program_version=typed.version, owner="one", lease_seconds=60)
            writer.commit(held, [TableCommit(name, 1, pointer={"n": number}, schema=schema, signature=signature)])
        latest = writer.reader.latest_schema(name)
        assert latest and (latest.number, latest.signature, latest.program_version) == (2, "b", typed.version)
        assert latest.origins == {"c0": ("crm.T000.C0",)} and latest.schema == schema

    def test_no_active_program_is_an_error_with_its_remedy(self, writer: MetadataWriter) -> None:
        with pytest.raises(DefinitionError, match="atoll apply"):
            writer.reader.active_program()

    def test_of_two_activations_at_once_one_wins(self, writer: MetadataWriter) -> None:
        first, second = program(1), program(2)
        for each in (first, second):
            writer.put_program(each)
        writer.activate(first, former_version="")
        with pytest.raises(RetryLater, match="meanwhile"):
            writer.activate(second, former_version="")
        writer.activate(second, former_version=first.version)
        assert writer.reader.active_version() == second.version

    def test_activation_opens_new_tables_and_leaves_the_others_where_they_are(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, program(1))
        commit(writer, claim(writer), cursor="c1")
        clock.advance(hours=5)
        apply(writer, program(2))
        assert (standing(writer).watermark, standing(writer).cursor) == (FIRST.end, "c1")
        assert standing(writer, "t001").watermark == FIRST.start + timedelta(hours=5)

    def test_a_view_starts_where_its_inputs_have_a_first_version(self, writer: MetadataWriter, clock: SettableClock) -> None:
        daily = view("lake.a.daily", "lake.crm.t000", seconds=24 * HOUR)
        above = view("lake.a.above", "lake.a.daily", seconds=HOUR)
        apply(writer, program(views=(daily, above)))
        midnight = datetime(2026, 11, 23, tzinfo=UTC)
        assert standing(writer, flow=daily.id, dataset=daily.id).watermark == midnight
        assert standing(writer, flow=above.id, dataset=above.id).watermark == FIRST.start  # of the day that the first version covers

    def test_a_view_on_old_inputs_starts_at_the_batch_that_ended_last(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        commit(writer, claim(writer), rows=1)
        load = claim(writer, flow="lake.crm:load", datasets=("lake.crm.t000",))
        writer.commit(load, [TableCommit("lake.crm.t000", 1, pointer={"snapshot_id": 2**62})])
        clock.advance(days=3)
        daily = view("lake.a.daily", "lake.crm.t000", seconds=24 * HOUR)
        apply(writer, program(views=(daily,)))
        assert standing(writer, flow=daily.id, dataset=daily.id).watermark == datetime(2026, 11, 25, tzinfo=UTC)

    # -- the timeline

    def test_a_program_for_a_boundary_is_pending_and_then_active(self, writer: MetadataWriter, clock: SettableClock) -> None:
        first, second = apply(writer, program(1)), program(2)
        scheduled(writer, second, SECOND.end)
        assert writer.reader.active_version() == first.version
        pending = writer.reader.timeline().pending(clock.now)
        assert pending and (pending.version, pending.boundary, pending.by) == (second.version, SECOND.end, "ann")
        assert standing(writer, "t001").watermark == SECOND.end
        clock.now = SECOND.end
        assert writer.reader.active_program() == second
        assert writer.reader.timeline().pending(clock.now) is None

    def test_each_batch_is_due_by_the_program_of_its_start(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program(1))
        scheduled(writer, program(2), SECOND.end)
        clock.now = SECOND.end + timedelta(hours=1, minutes=1)
        commit(writer, claim(writer), rows=1)
        commit(writer, claim(writer, interval=SECOND), rows=1)
        (batch,) = [b for b in due_along(writer, clock) if b.flow == "lake.crm"]
        assert (batch.interval.start, batch.datasets) == (SECOND.end, (staged("t000"), staged("t001")))

    def test_batches_before_the_boundary_stay_with_the_former_program_however_late(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, program(2))
        scheduled(writer, program(1), SECOND.end)
        clock.now = SECOND.end + timedelta(days=3)
        assert due_along(writer, clock)[0].datasets == (staged("t000"), staged("t001"))
        for interval in (FIRST, SECOND):
            held = claim(writer, "t000", "t001", interval=interval)
            commit(writer, held, "t000", rows=1)
            commit(writer, held, "t001", rows=1)
        assert {d for b in due_along(writer, clock) if b.flow == "lake.crm" for d in b.datasets} == {staged("t000")}

    def test_of_two_who_schedule_at_once_one_wins(self, writer: MetadataWriter) -> None:
        apply(writer, program(1))
        seen = writer.reader.timeline()
        scheduled(writer, program(2), SECOND.end)
        writer.put_program(program(3))
        with pytest.raises(RetryLater, match="meanwhile"):
            writer.schedule(program(3), Effect(SECOND.end), expected=seen)
        with pytest.raises(RetryLater, match="meanwhile"):
            writer.cancel(Timeline((*seen.entries, replace(seen.entries[0], boundary=SECOND.end)), seen.revision))

    def test_what_is_cancelled_leaves_the_timeline_as_it_was(self, writer: MetadataWriter, clock: SettableClock) -> None:
        first = apply(writer, program(1))
        before = writer.reader.timeline().entries
        writer.cancel(scheduled(writer, program(2), SECOND.end))
        assert writer.reader.timeline().entries == before
        clock.now = SECOND.end + timedelta(hours=2)
        assert writer.reader.active_version() == first.version
        assert EventKind.UPDATE_SET_CANCELLED in [event.kind for event in events(writer)]
        with pytest.raises(InputError, match="pending"):
            writer.cancel(writer.reader.timeline())

    def test_an_entry_whose_batches_are_done_leaves_the_timeline(self, writer: MetadataWriter, clock: SettableClock) -> None:
        programs = [program(1, views=(view("lake.a.v", "lake.crm.t000", query=f"SELECT {n}"),)) for n in range(4)]
        apply(writer, programs[0])
        boundary = SECOND.end
        for changed in programs[1:]:
            clock.now = boundary
            scheduled(writer, changed, boundary := boundary + timedelta(hours=1))
        assert len(writer.reader.timeline().entries) == 4  # nothing has run
        clock.now = boundary + timedelta(hours=2, minutes=1)
        while found := due_along(writer, clock):
            for batch in found:
                run(writer, batch)
        scheduled(writer, program(2), boundary + timedelta(hours=5))
        assert [e.version for e in writer.reader.timeline().entries] == [p.version for p in (*programs[2:], program(2))]

    def test_what_is_made_again_starts_over_and_replaces_what_was(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program(1, views=(view("lake.a.v", "lake.crm.t000"),)))
        clock.now = SECOND.end + timedelta(hours=1, minutes=1)
        while found := due_along(writer, clock):
            for batch in found:
                run(writer, batch)
        changed = program(1, views=(view("lake.a.v", "lake.crm.t000", query="SELECT 2"),))
        scheduled(writer, changed, FIRST.start, restates=True)
        again = []
        while found := due_along(writer, clock):
            assert [(b.flow, b.advanced) for b in found] == [("lake.a.v", not again)]
            again.append(found[0].interval)
            run(writer, found[0])
        assert again == [FIRST, SECOND, Interval(SECOND.end, SECOND.end + timedelta(hours=1))]
        batch = writer.reader.batch("lake.a.v", FIRST.start)
        assert batch and batch.token == 2 and batch.status == "COMMITTED"
        state = standing(writer, flow="lake.a.v", dataset="lake.a.v")
        assert (state.watermark, state.again_until) == (SECOND.end + timedelta(hours=1), None)

    def test_a_worker_of_the_former_program_cannot_commit_what_is_made_again(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, program(1, views=(view("lake.a.v", "lake.crm.t000"),)))
        clock.now = SECOND.end + timedelta(minutes=1)
        for _ in range(4):
            for batch in due_along(writer, clock):
                if batch.flow != "lake.a.v" or batch.interval == FIRST:
                    run(writer, batch)
        late = writer.claim("lake.a.v", SECOND, ["lake.a.v"], program_version="v", owner="late", lease_seconds=60, entry=1)
        scheduled(writer, program(1, views=(view("lake.a.v", "lake.crm.t000", query="SELECT 2"),)), FIRST.start, restates=True)
        run(writer, next(b for b in due_along(writer, clock) if b.flow == "lake.a.v"))
        clock.advance(seconds=61)
        run(writer, next(b for b in due_along(writer, clock) if b.flow == "lake.a.v"))
        with pytest.raises(StaleToken):
            writer.commit(late, [TableCommit("lake.a.v", 1, pointer={"snapshot_id": 1})])

    def test_a_flow_that_comes_back_begins_at_the_new_boundary(self, writer: MetadataWriter, clock: SettableClock) -> None:
        with_view, without = program(1, views=(view("lake.a.v", "lake.crm.t000"),)), program(1)
        apply(writer, with_view)
        scheduled(writer, without, SECOND.end)
        clock.now = SECOND.end + timedelta(hours=5, minutes=1)
        back = SECOND.end + timedelta(hours=6)
        scheduled(writer, with_view, back)
        clock.now = back + timedelta(hours=1, minutes=1)
        starts = []
        while found := due_along(writer, clock):
            for batch in found:
                starts += [batch.interval.start] if batch.flow == "lake.a.v" else []
                run(writer, batch)
        assert starts == [FIRST.start, SECOND.start, back]

    def test_a_flow_that_stopped_was_removed_and_then_forgotten_begins_anew(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        with_view, without = program(1, views=(view("lake.a.v", "lake.crm.t000"),)), program(1)
        apply(writer, with_view)
        for attempt in range(MAX_ATTEMPTS):
            claim = writer.claim("lake.a.v", FIRST, ["lake.a.v"], program_version="v", owner=f"{attempt}", lease_seconds=60, entry=1)
            writer.fail(claim, "lake.a.v", "it broke")
        boundary = SECOND.end
        for changed in (without, program(2)):
            scheduled(writer, changed, boundary)
            clock.now = boundary = boundary + timedelta(hours=1)
            while found := due_along(writer, clock):
                for batch in found:
                    run(writer, batch)
        scheduled(writer, with_view, boundary)
        assert with_view.version not in [entry.version for entry in writer.reader.timeline().entries[:-1]]
        assert standing(writer, flow="lake.a.v", dataset="lake.a.v").watermark == boundary

    def test_a_pin_is_kept_for_the_next_attempt_but_not_for_another_program(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        first = claim(writer)
        assert writer.pin(first, staged("t000"), {"lake.x": "a"}) == {"lake.x": "a"}
        again = claim(writer)
        assert writer.pin(again, staged("t000"), {"lake.x": "b"}) == {"lake.x": "a"}
        with pytest.raises(StaleToken):
            writer.pin(first, staged("t000"), {"lake.x": "c"})
        other = writer.claim("lake.crm", FIRST, [staged("t000")], program_version="w", owner="one", lease_seconds=60)
        assert writer.pin(other, staged("t000"), {"lake.x": "b"}) == {"lake.x": "b"}

    # -- schema and dataset versions

    def test_a_schema_version_is_made_only_when_the_schema_or_its_layout_changes(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, program())
        one, two = Schema((SchemaColumn("id", "int"),)), Schema((SchemaColumn("id", "long"), SchemaColumn("x", "string")))
        layouts = ({"format": "parquet"}, {"format": "parquet"}, {"format": "parquet"}, {"format": "iceberg", "by": ("day",)})
        for number, (schema, layout) in enumerate(zip((one, one, two, two), layouts, strict=True)):
            interval = Interval(START + timedelta(hours=number), START + timedelta(hours=number + 1))
            held = claim(writer, interval=interval)
            writer.commit(held, [TableCommit(staged("t000"), 1, pointer={"n": number}, schema=schema, layout=layout)])
            clock.advance(hours=1)
        ends = [START + timedelta(hours=number) for number in range(1, 5)]
        versions = [writer.reader.version_of(staged("t000"), end) for end in ends]
        assert [v.schema_version for v in versions if v] == [1, 1, 2, 3]

    def test_the_version_at_a_moment_is_the_last_made_by_then(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        commit(writer, claim(writer), rows=1)
        clock.advance(hours=1)
        writer.commit(claim(writer, interval=SECOND), [TableCommit(staged("t000"))])
        found = writer.reader.version_at(staged("t000"), SECOND.end + timedelta(days=9))
        assert found and found.interval == FIRST
        assert writer.reader.version_of(staged("t000"), SECOND.end) is None
        assert writer.reader.version_at(staged("t000"), FIRST.end - timedelta(seconds=1)) is None
        latest, first = writer.reader.latest_version(staged("t000")), writer.reader.first_version(staged("t000"))
        assert latest == found == first

    def test_a_version_keeps_pointers_exactly(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        pointer = {"snapshot_id": 2**63 - 1, "share": 0.1, "files": ["a", "ü"], "none": None, "deep": {"yes": True}}
        writer.commit(claim(writer), [TableCommit(staged("t000"), 1, pointer=pointer)])
        version = writer.reader.latest_version(staged("t000"))
        assert version and version.pointer == pointer

    # -- the conductor's question, over what is stored

    def test_due_batches_follow_what_is_committed(self, writer: MetadataWriter, clock: SettableClock) -> None:
        applied = apply(writer, program())
        assert [b.flow for b in due(writer, applied, clock)] == ["lake.crm"]
        commit(writer, claim(writer), rows=1)
        assert [b.flow for b in due(writer, applied, clock)] == ["lake.crm:load"]
        load = claim(writer, flow="lake.crm:load", datasets=("lake.crm.t000",))
        writer.commit(load, [TableCommit("lake.crm.t000", 1, pointer={"snapshot_id": 1})])
        assert due(writer, applied, clock) == []
        clock.advance(hours=1)
        assert [(b.flow, b.interval) for b in due(writer, applied, clock)] == [("lake.crm", SECOND)]

    def test_the_states_of_more_flows_than_one_request_holds_are_read(self, writer: MetadataWriter) -> None:
        views = tuple(view(f"lake.a.v{number}", "lake.crm.t000") for number in range(120))
        applied = apply(writer, program(views=views))
        assert set(writer.reader.flow_states(list(applied.flows))) == set(applied.flows)

    def test_batches_are_listed_newest_first(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        commit(writer, claim(writer))
        clock.advance(hours=1)
        claim(writer, interval=SECOND)
        found = writer.reader.batches("lake.crm", staged("t000"))
        assert [(b.interval, b.status) for b in found] == [(SECOND, "RUNNING"), (FIRST, "COMMITTED")]
        assert writer.reader.batches("lake.crm", staged("t001")) == []

    def test_events_are_read_in_order_across_days(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        moments = []
        for number in itertools.count():
            interval = Interval(START + timedelta(hours=number), START + timedelta(hours=number + 1))
            clock.now = interval.end + timedelta(minutes=1)
            moments.append(clock.now)
            commit(writer, claim(writer, interval=interval))
            if number == 14:
                break
        found = [e.at for e in writer.reader.events(moments[0], moments[-1]) if e.kind == EventKind.BATCH_COMPLETED]
        assert found == moments

    @pytest.mark.parametrize("fraction", [0, 1, 999_999])
    def test_changes_are_those_since_a_moment_across_midnight_without_those_that_are_known(
        self, writer: MetadataWriter, clock: SettableClock, fraction: int
    ) -> None:
        """However a moment's fraction of a second is written."""
        apply(writer, program())
        since = datetime(2026, 11, 23, 23, 59, 58, fraction, UTC)
        moments = [since - timedelta(seconds=2), *(since + timedelta(seconds=seconds) for seconds in (0, 0.5, 1, 1.999999, 2, 90))]
        for attempt, clock.now in enumerate(moments):
            writer.record_lost("lake.crm", FIRST, [staged("t000")], "gone", attempt=attempt, owner="arn")
        found = writer.reader.changes(since, since + timedelta(minutes=1))
        lost = [event.at for event in found.values() if event.kind == EventKind.BATCH_LOST]
        assert sorted(lost) == moments[1:], "also of a clock that is ahead"
        assert {event.at.day for event in writer.reader.changes(since, since).values()} == {23}
        assert writer.reader.changes(since, since + timedelta(minutes=1), found) == {}

    def test_batches_are_read_together_as_far_as_they_were_claimed(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, program())
        commit(writer, claim(writer))
        clock.advance(hours=1)
        claim(writer, interval=SECOND)
        hours = [FIRST.start + timedelta(hours=number) for number in range(150)]
        found = writer.reader.batches_at({("lake.crm", start): [staged("t000")] for start in hours})
        assert found == {("lake.crm", one.start): writer.reader.batch("lake.crm", one.start) for one in (FIRST, SECOND)}


def apply(writer: MetadataWriter, wanted: Program) -> Program:
    writer.put_program(wanted)
    writer.activate(wanted, former_version=writer.reader.active_version())
    return wanted


def lineage(columns: int = 1) -> Lineage:
    at = Position("p.sql", 1, 1)
    found = [ColumnLineage(f"c{n}", "long", True, (ColumnRef("crm.T000", f"C{n}"),), at) for n in range(columns)]
    return Lineage({"lake.crm.t000": DatasetLineage("lake.crm.t000", "lake.crm:load", tuple(found), (), at)})


def scheduled(writer: MetadataWriter, wanted: Program, boundary: datetime, *, restates: bool = False) -> Timeline:
    writer.put_program(wanted)
    return writer.schedule(wanted, Effect(boundary, restates), expected=writer.reader.timeline(), by="ann")


def due_along(writer: MetadataWriter, clock: SettableClock) -> list[DueBatch]:
    programs = writer.reader.programs()
    return due_batches(programs, writer.reader.flow_states(list(programs.flow_ids)), clock.now)


def run(writer: MetadataWriter, batch: DueBatch) -> None:
    """Claims and commits it, as the conductor and a slice do."""
    if batch.advanced:
        writer.settle(writer.reader.programs(), batch.flow)
    held = writer.claim(
        batch.flow,
        batch.interval,
        batch.datasets,
        program_version=batch.program,
        owner="one",
        lease_seconds=60,
        entry=batch.entry,
        again_until=batch.again_until,
        interval_seconds=int((batch.first.end - batch.first.start).total_seconds()),
        until=batch.until,
        restated=batch.restated,
    )
    writer.commit(held, [TableCommit(dataset, 1, pointer={"snapshot_id": 1}) for dataset in batch.datasets])


def staged(name: str) -> str:
    return f"lake.crm.{name}:staged"


def claim(
    writer: MetadataWriter, *names: str, owner: str = "one", interval: Interval = FIRST, rerun: bool = False,
    flow: str = "lake.crm", datasets: tuple[str, ...] = (),
) -> Claim:  # fmt: skip
    wanted = datasets or tuple(dict.fromkeys(staged(name) for name in names or ("t000",)))
    return writer.claim(flow, interval, wanted, program_version="v", owner=owner, lease_seconds=60, rerun=rerun)


def commit(writer: MetadataWriter, held: Claim, name: str = "t000", *, cursor: str = "", rows: int = 0) -> None:
    writer.commit(held, [TableCommit(staged(name), rows, cursor=cursor, pointer={"manifest": "m"} if rows else None)])


def fail(writer: MetadataWriter, held: Claim, name: str = "t000") -> None:
    writer.fail(held, staged(name), "it broke")


def dead(writer: MetadataWriter, *names: str, tables: int = 1) -> Program:
    """A program of which batches have failed too often."""
    applied = apply(writer, program(tables))
    for name in names or ("t000",):
        for _ in range(MAX_ATTEMPTS):
            fail(writer, claim(writer, name), name)
    return applied


def seen(writer: MetadataWriter) -> dict[str, Wait | None]:
    """What the tables of the first batch wait for."""
    found = writer.reader.batch("lake.crm", FIRST.start)
    return {dataset: worker.waits for dataset, worker in found.workers.items()} if found else {}


def standing(writer: MetadataWriter, name: str = "t000", *, flow: str = "lake.crm", dataset: str = "") -> Any:
    return writer.reader.flow_states([flow])[flow].tables[dataset or staged(name)]


def items_of(writer: MetadataWriter, flow: str) -> dict[str, Any]:
    """All that is stored of a flow, by sort key."""
    pages = writer._client.get_paginator("query").paginate(
        TableName=writer._table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": keys.flow(flow)}}
    )
    return {item["sk"]["S"]: item for page in pages for item in page["Items"]}


def batch_status(writer: MetadataWriter) -> str:
    found = writer.reader.batch("lake.crm", FIRST.start)
    assert found
    return found.status


def events(writer: MetadataWriter) -> list[Any]:
    return list(writer.reader.events(START, START + timedelta(days=2)))


def due(writer: MetadataWriter, applied: Program, clock: SettableClock) -> list[Any]:
    return due_batches(applied, writer.reader.flow_states(list(applied.flows)), clock.now)
