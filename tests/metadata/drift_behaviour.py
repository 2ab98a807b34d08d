"""What the records of drift promise, whatever emulates DynamoDB; inherited beside MetadataBehaviour, whose fixtures it uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared_metadata.drift.changes import Change, DriftChange, classify
from shared_metadata.errors import RetryLater
from shared_metadata.program import Mode, Program
from shared_metadata.program.intervals import Interval
from shared_metadata.program.lineage import Lineage
from shared_metadata.program.schema import Schema
from shared_metadata.state.records import MAX_ATTEMPTS, EventKind
from shared_metadata.store.drift_registry import NOT_EXPECTED, SOURCE_IS_BACK
from shared_metadata.store.writer import MetadataWriter
from tests.conformance.fixtures import SettableClock
from tests.drift.programs import Writing, schema
from tests.metadata.behaviour import START, Interrupts

THINGS = schema(id="long", name="string", size="int", spare="string")
TABLE, FLOW = "out.things", "lake.raw.things"
Known = tuple[Program, Lineage]


def things(*, uses: str = "name", views: int = 1) -> Known:
    """A collected table, views that use one of its columns, and a view that uses none of those."""
    writing = Writing()
    writing.collect(TABLE, THINGS, key="id", mode=Mode.MERGE)
    for number in range(views):
        writing.view(f"lake.a.v{number:03d}", [f"{FLOW}.{uses}"])
    writing.view("lake.a.reader", ["lake.a.v000." + uses])
    writing.view("lake.a.other", [f"{FLOW}.size"])
    return writing.finish()


def gone(*names: str, known: Known) -> list[DriftChange]:
    program, lineage = known
    now = Schema(tuple(c for c in THINGS.columns if c.name not in names))
    return classify(THINGS, now, TABLE, lineage, program)


def settle(writer: MetadataWriter, known: Known, changes: Sequence[DriftChange], version: str = "v1") -> list[Any]:
    program, lineage = known
    return writer.drifts.settle(TABLE, changes, lambda: lineage, program, version, FLOW)


def activate(writer: MetadataWriter, known: Known) -> Known:
    writer.put_program(*known)
    writer.activate(known[0], former_version=writer.reader.active_version())
    return known


def quiesced(writer: MetadataWriter, known: Known) -> dict[str, tuple[int, ...]]:
    """Dataset ▸ the drifts that hold it."""
    states = writer.reader.flow_states(list(known[0].flows))
    held = {name: state.drifts(name) for state in states.values() for name in state.tables}
    return {name: numbers for name, numbers in sorted(held.items()) if numbers}


def told(writer: MetadataWriter) -> list[tuple[EventKind, int, list[str]]]:
    kinds = (EventKind.FLOW_QUIESCED, EventKind.FLOW_RESUMED, EventKind.SOURCE_CHANGED)
    found = writer.reader.events(START - timedelta(days=1), START + timedelta(days=2))
    return [(e.kind, e.detail["drift"], e.detail["flows"]) for e in found if e.kind in kinds]


class DriftBehaviour:
    """Inherit it beside MetadataBehaviour."""

    def test_record_marks_and_event_of_a_drift_are_written_together(self, writer: MetadataWriter, clock: SettableClock) -> None:
        known = activate(writer, things())
        (drift,) = settle(writer, known, gone("name", known=known))
        assert writer.drifts.drift(1) == drift and drift.open
        assert (drift.number, drift.seen_by, drift.program, drift.first_seen) == (1, FLOW, "v1", clock.now)
        assert quiesced(writer, known) == {"lake.a.reader": (1,), "lake.a.v000": (1,)}
        assert told(writer) == [(EventKind.FLOW_QUIESCED, 1, ["lake.a.reader", "lake.a.v000"])]
        state = writer.reader.flow_states(["lake.a.v000"])["lake.a.v000"]
        table = state.tables["lake.a.v000"]
        assert [(mark.drift, mark.since) for mark in table.quiesced] == [(1, table.watermark)]

    def test_the_same_drift_seen_in_every_batch_is_one_record(self, writer: MetadataWriter, clock: SettableClock) -> None:
        known = activate(writer, things())
        for _ in range(3):
            (drift,) = settle(writer, known, gone("name", known=known))
            clock.advance(hours=1)
        assert drift.first_seen == clock.now - timedelta(hours=3)
        assert len(writer.drifts.drifts()) == len(told(writer)) == 1

    def test_a_drift_that_breaks_nobody_is_recorded_and_marks_nothing(self, writer: MetadataWriter) -> None:
        known = activate(writer, things())
        (drift,) = settle(writer, known, gone("spare", known=known))
        assert (drift.change.kind, drift.flows, quiesced(writer, known)) == (Change.COLUMN_DROPPED, (), {})
        assert told(writer) == [(EventKind.SOURCE_CHANGED, 1, [])]

    def test_two_columns_gone_at_once_are_two_drifts_and_a_flow_waits_for_both(self, writer: MetadataWriter) -> None:
        writing = Writing()
        writing.collect(TABLE, THINGS)
        writing.view("lake.a.both", [f"{FLOW}.name", f"{FLOW}.size"])
        known = activate(writer, writing.finish())
        settle(writer, known, gone("name", "size", known=known))
        assert quiesced(writer, known) == {"lake.a.both": (1, 2)}
        settle(writer, known, gone("size", known=known))
        assert quiesced(writer, known) == {"lake.a.both": (2,)}

    def test_a_column_that_returns_frees_what_it_held(self, writer: MetadataWriter, clock: SettableClock) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", known=known))
        clock.advance(minutes=5)
        assert settle(writer, known, []) == []
        drift = writer.drifts.drift(1)
        assert drift and (drift.resolution, drift.resolved_at) == (SOURCE_IS_BACK, clock.now)
        assert quiesced(writer, known) == {} and writer.drifts.open_drifts() == []
        assert told(writer)[-1] == (EventKind.FLOW_RESUMED, 1, ["lake.a.reader", "lake.a.v000"])

    def test_what_fails_while_it_is_quiesced_is_no_dead_letter_and_does_not_count_when_it_resumes(
        self, writer: MetadataWriter
    ) -> None:
        known, flow = activate(writer, things()), "lake.a.v000"
        settle(writer, known, gone("name", known=known))
        start = writer.reader.flow_states([flow])[flow].tables[flow].watermark
        interval = Interval(start, start + timedelta(seconds=known[0].flows[flow].interval_seconds))
        for _ in range(MAX_ATTEMPTS + 1):
            held = writer.claim(flow, interval, [flow], program_version="v1", owner="one", lease_seconds=60)
            writer.fail(held, flow, "the column name is gone")
        assert writer.reader.flow_states([flow])[flow].tables[flow].dead_letter is None
        settle(writer, known, [])
        state = writer.reader.flow_states([flow])[flow].tables[flow]
        assert (state.attempts, state.failures, state.stopped) == (MAX_ATTEMPTS + 1, 0, False)

    def test_what_failed_of_a_dataset_that_a_drift_frees_alone_does_not_count_any_more(self, writer: MetadataWriter) -> None:
        writing = Writing()
        names = [f"{writing.collect(f'out.{table}', THINGS, flow_id='lake.raw')}:staged" for table in ("one", "two")]
        known = activate(writer, writing.finish())
        change = DriftChange(Change.COLUMN_DROPPED, TABLE, "name", quiesces=tuple(names))
        settle(writer, known, [change])
        start = writer.reader.flow_states(["lake.raw"])["lake.raw"].tables[names[0]].watermark
        for _ in range(MAX_ATTEMPTS):
            interval = Interval(start, start + timedelta(hours=1))
            held = writer.claim("lake.raw", interval, names, program_version="v1", owner="one", lease_seconds=60)
            for name in names:
                writer.fail(held, name, "the column name is gone")
        settle(writer, known, [replace(change, quiesces=tuple(names[1:]))])
        state = writer.reader.flow_states(["lake.raw"])["lake.raw"]
        assert [state.tables[name].failures for name in names] == [0, MAX_ATTEMPTS]
        assert [state.drifts(name) for name in names] == [(), (1,)]

    def test_a_column_that_goes_again_is_another_drift(self, writer: MetadataWriter) -> None:
        known = activate(writer, things())
        for changes in (gone("name", known=known), [], gone("name", known=known)):
            settle(writer, known, changes)
        assert [(d.number, d.open) for d in writer.drifts.drifts()] == [(2, True), (1, False)]
        assert quiesced(writer, known) == {"lake.a.reader": (2,), "lake.a.v000": (2,)}

    def test_a_column_that_returns_has_its_rows_collected_again(self, writer: MetadataWriter) -> None:
        known = activate(writer, things())
        staged = f"{FLOW}:staged"
        names, values = {"#t": "table", "#c": "cursor"}, {":c": "c7"}
        key = {"pk": {"S": f"FLOW#{FLOW}"}, "sk": {"S": f"STATE#{staged}"}}
        values_of = {":c": {"S": values[":c"]}}
        writer._client.update_item(
            TableName=writer._table, Key=key, UpdateExpression="SET #t.#c = :c", ExpressionAttributeNames=names,
            ExpressionAttributeValues=values_of,
        )  # fmt: skip
        settle(writer, known, gone("name", known=known))
        assert writer.reader.flow_states([FLOW])[FLOW].tables[staged].cursor == "c7"
        settle(writer, known, [])
        assert writer.reader.flow_states([FLOW])[FLOW].tables[staged].cursor == ""

    def test_a_program_that_does_not_use_the_column_frees_its_readers_and_the_drift_stays_known(self, writer: MetadataWriter) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", known=known))
        program, lineage = other = activate(writer, things(uses="id"))
        writer.drifts.reevaluate(lineage, program, "v2")
        assert quiesced(writer, other) == {}
        (drift,) = writer.drifts.open_drifts()
        assert (drift.program, drift.flows, drift.change.used_by) == ("v2", (), ())
        assert told(writer)[-1] == (EventKind.FLOW_RESUMED, 1, ["lake.a.reader", "lake.a.v000"])
        assert settle(writer, other, gone("name", known=other), "v2") == [drift]

    def test_a_program_compiled_against_the_change_resolves_it(self, writer: MetadataWriter) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", known=known))
        writer.drifts.reevaluate(Lineage({}, {}), known[0], "v2")
        drift = writer.drifts.drift(1)
        assert drift and drift.resolution == NOT_EXPECTED
        assert quiesced(writer, known) == {}

    def test_a_program_with_a_new_reader_marks_it_too(self, writer: MetadataWriter) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", known=known))
        program, lineage = more = activate(writer, things(views=2))
        writer.drifts.reevaluate(lineage, program, "v2")
        assert quiesced(writer, more) == {"lake.a.reader": (1,), "lake.a.v000": (1,), "lake.a.v001": (1,)}
        assert told(writer)[-1] == (EventKind.FLOW_QUIESCED, 1, ["lake.a.v001"])

    def test_more_flows_than_a_transaction_holds_are_marked_and_freed(self, writer: MetadataWriter) -> None:
        known = activate(writer, things(views=130))
        settle(writer, known, gone("name", known=known))
        assert len(quiesced(writer, known)) == 131
        settle(writer, known, [])
        assert quiesced(writer, known) == {}
        assert [kind for kind, _, _ in told(writer)] == [EventKind.FLOW_QUIESCED, EventKind.FLOW_RESUMED]

    def test_marks_that_a_crash_left_out_are_made_by_the_next_batch(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        known = activate(writer, things(views=130))
        dies = MetadataWriter(DiesAtThe(2, dynamodb), table, clock)
        with pytest.raises(KeyboardInterrupt):
            settle(dies, known, gone("name", known=known))
        assert 0 < len(quiesced(writer, known)) < 131
        settle(writer, known, gone("name", known=known))
        assert len(quiesced(writer, known)) == 131 and len(writer.drifts.drifts()) == 1

    def test_of_two_who_see_it_at_once_one_makes_the_record(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter
    ) -> None:
        known = activate(writer, things())
        changes = gone("name", known=known)
        meanwhile = Interrupts(dynamodb, "transact_write_items", lambda: settle(writer, known, changes) and None)
        (drift,) = settle(MetadataWriter(meanwhile, table, clock), known, changes)
        assert drift.number == 1
        assert len(writer.drifts.drifts()) == len(told(writer)) == 1

    def test_records_that_stay_contended_are_tried_later(
        self, dynamodb: Any, table: str, clock: SettableClock, writer: MetadataWriter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        known = activate(writer, things())
        with pytest.raises(RetryLater, match="again and again"):
            settle(MetadataWriter(AlwaysLate(dynamodb, writer), table, clock), known, gone("name", known=known))

    def test_people_are_told_by_exactly_one(self, writer: MetadataWriter) -> None:
        known = activate(writer, things())
        settle(writer, known, gone("name", known=known))
        assert [writer.drifts.claim_notification(1) for _ in range(3)] == [True, False, False]
        writer.drifts.release_notification(1)
        assert writer.drifts.claim_notification(1) and not writer.drifts.claim_notification(99)

    def test_a_commit_leaves_a_mark_where_it_is(self, writer: MetadataWriter) -> None:
        from shared_metadata.program.intervals import next_interval
        from shared_metadata.state.records import TableCommit

        known = activate(writer, things())
        view = "lake.a.v000"
        interval = next_interval(writer.reader.flow_states([view])[view].tables[view].watermark, 3600)
        claim = writer.claim(view, interval, [view], program_version="v1", owner="one", lease_seconds=60)
        settle(writer, known, gone("name", known=known))
        writer.commit(claim, [TableCommit(view)])
        state = writer.reader.flow_states([view])[view]
        assert state.tables[view].watermark == interval.end
        assert state.drifts(view) == (1,)


class DiesAtThe:
    """A client whose process ends before its n-th transaction."""

    def __init__(self, number: int, client: Any) -> None:
        self._left, self._client = number, client

    def __getattr__(self, name: str) -> Any:
        if name == "transact_write_items":
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt
        return getattr(self._client, name)


class AlwaysLate:
    """A client before each of whose transactions somebody else opens another drift."""

    def __init__(self, client: Any, other: MetadataWriter) -> None:
        self._client, self._other, self._count = client, other, 0

    def __getattr__(self, name: str) -> Any:
        if name == "transact_write_items":
            self._count += 1
            change = DriftChange(Change.COLUMN_ADDED, "out.elsewhere", f"c{self._count}")
            self._other.drifts.settle(f"out.elsewhere{self._count}", [change], lambda: None, Program({}, {}, {}), "v", "f")
        return getattr(self._client, name)
