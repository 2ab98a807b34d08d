"""What the metadata layer promises of batches that cover missed intervals, whatever emulates DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shared_metadata.contract.batch_input import BatchRequest, resolve
from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.contract.work import Work
from shared_metadata.errors import InputError, RetryLater
from shared_metadata.program import Flow, Mode, Program
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import Claim, EventKind, TableCommit
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.state.skipped import SKIPPED_KEPT
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.verification.difference import Difference
from shared_metadata.verification.differences import differences
from shared_metadata.verification.facts import Facts
from tests.conformance.fixtures import SettableClock
from tests.metadata.behaviour import HOUR, START, apply, events, program, scheduled, staged, standing, view

SLICE = Slice("organize", "test", "Test", Capabilities("duckdb", tuple(Mode)), "", ("plan",))
COLLECT, LOAD, ABOVE, READER = "lake.crm", "lake.crm:load", "lake.a.v", "lake.b.v"


def covering(tables: int = 1, *views: Flow) -> Program:
    found = program(tables, views=views)
    return replace(found, flows={name: replace(flow, covers=flow.mode != Mode.APPEND) for name, flow in found.flows.items()})


def hours(start: int, end: int) -> Interval:
    return Interval(START + timedelta(hours=start), START + timedelta(hours=end))


class CoveringBehaviour:
    """Beside MetadataBehaviour, whose fixtures it uses."""

    def due(self, writer: MetadataWriter, clock: SettableClock) -> dict[str, DueBatch]:
        programs = writer.reader.programs()
        found = due_batches(programs, writer.reader.flow_states(list(programs.flow_ids)), clock.now)
        return {batch.flow: batch for batch in found}

    def claimed(self, writer: MetadataWriter, flow: str, interval: Interval, *datasets: str, **more: Any) -> Claim:
        version = writer.reader.active_version()
        return writer.claim(
            flow, interval, datasets, program_version=version, owner="one", lease_seconds=60, interval_seconds=HOUR, **more
        )

    def committed(self, writer: MetadataWriter, flow: str, interval: Interval, *datasets: str, changed: bool = True) -> Claim:
        held = self.claimed(writer, flow, interval, *datasets)
        pointer = {"manifest": to_text(interval.end)} if changed else None
        writer.commit(held, [TableCommit(dataset, int(changed), pointer=pointer) for dataset in datasets])
        return held

    def test_missed_batches_are_claimed_and_committed_as_one(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, covering())
        clock.advance(hours=129)
        batch = self.due(writer, clock)[COLLECT]
        assert batch.interval == hours(0, 130)
        held = self.committed(writer, COLLECT, batch.interval, *batch.datasets)
        assert held.intervals == 130
        assert standing(writer).watermark == batch.interval.end
        (done,) = [event for event in writer.reader.events(clock.now, clock.now) if event.kind == EventKind.BATCH_COMPLETED]
        assert (done.detail["intervals"], done.detail["end"]) == (130, to_text(batch.interval.end))
        assert standing(writer).skipped == (batch.interval,)
        assert self.due(writer, clock)[LOAD].interval == batch.interval

    def test_a_batch_of_one_interval_skips_nothing_nor_does_one_that_changed_nothing(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, covering())
        clock.advance(hours=5)
        self.committed(writer, COLLECT, hours(0, 1), staged("t000"))
        self.committed(writer, COLLECT, hours(1, 6), staged("t000"), changed=False)
        assert standing(writer).skipped == ()

    def test_of_what_was_skipped_the_round_moments_between_are_kept_for_longest(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        apply(writer, covering())
        clock.advance(hours=100)
        begins, ends = (START - START.replace(hour=0)) // timedelta(hours=1), []
        for start in range(0, 90, 3):
            self.committed(writer, COLLECT, hours(start, start + 3), staged("t000"))
            skipped = standing(writer).skipped
            assert len(skipped) <= SKIPPED_KEPT and skipped[0].start == START and skipped[-1] == hours(start, start + 3)
            ends.append({gap.end for gap in skipped})
        midnights = [number for number in range(30) if (begins + 3 * number + 3) % 24 == 0]
        for number in midnights[:-1]:
            moment = hours(0, 3 * number + 3).end
            assert all(moment in found for found in ends[number : number + 16]), "two days long"
        others = [sum(hours(0, 3 * number + 3).end in found for found in ends) for number in range(24) if number not in midnights]
        assert max(others) < 16

    def test_one_more_attempt_keeps_the_end_of_the_first_one(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, covering())
        clock.advance(hours=5)
        first = self.claimed(writer, COLLECT, hours(0, 6), staged("t000"))
        writer.fail(first, staged("t000"), "it broke")
        clock.advance(hours=2)
        batch = self.due(writer, clock)[COLLECT]
        assert batch.interval == hours(0, 8), "the conductor does not know of the first attempt"
        again = self.claimed(writer, COLLECT, batch.interval, staged("t000"))
        assert (again.interval, again.intervals, again.token) == (hours(0, 6), 6, first.token + 1)
        writer.commit(again, [TableCommit(staged("t000"), 1, pointer={"manifest": "m"})])
        assert standing(writer).watermark == hours(0, 6).end

    def test_a_batch_is_one_start_however_far_it_goes(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, covering())
        names = set()
        for _ in range(4):
            names.add(self.due(writer, clock)[COLLECT].execution_name)
            clock.advance(hours=1)
        assert len(names) == 1

    def test_an_attempt_goes_no_further_than_what_can_be_read_by_now(self, writer: MetadataWriter, clock: SettableClock) -> None:
        """An update set that was restated meanwhile may have taken back what the first attempt was to read."""
        apply(writer, covering())
        clock.advance(hours=9)
        first = self.claimed(writer, COLLECT, hours(0, 9), staged("t000"))
        writer.pin(first, staged("t000"), {"lake.x": "a"})
        second = self.claimed(writer, COLLECT, hours(0, 4), staged("t000"), until=hours(0, 4).end)
        assert second.interval == hours(0, 4)
        assert writer.pin(second, staged("t000"), {"lake.x": "b"}) == {"lake.x": "b"}, "a pin is that of an end"

    def test_the_tables_of_a_batch_end_together(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, covering(2))
        clock.advance(hours=9)
        self.committed(writer, COLLECT, hours(0, 8), staged("t000"))
        assert self.claimed(writer, COLLECT, hours(0, 10), staged("t001")).interval == hours(0, 8)
        with pytest.raises(RetryLater, match="other tables"):
            self.claimed(writer, COLLECT, hours(0, 5), staged("t001"))
        recorded = writer.reader.batch(COLLECT, START)
        behind = replace(self.due(writer, clock)[COLLECT], interval=hours(0, 5))
        assert recorded and behind.waits(recorded) and not replace(behind, interval=hours(0, 9)).waits(recorded)

    def test_versions_of_a_time_that_was_skipped(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, covering())
        clock.advance(hours=9)
        self.committed(writer, COLLECT, hours(0, 1), staged("t000"))
        self.committed(writer, COLLECT, hours(1, 6), staged("t000"))
        reader, name = writer.reader, staged("t000")

        def covers(hour: int) -> datetime | None:
            found = reader.covering_version(name, START + timedelta(hours=hour))
            return found.interval.end if found else None

        first, second = hours(0, 1).end, hours(1, 6).end
        assert [covers(hour) for hour in (0, 1, 2, 5, 6, 7)] == [None, first, second, second, second, second]
        ends = [getattr(reader, f"{which}_version_within")(name, hours(0, 6)).interval.end for which in ("first", "last")]
        assert ends == [first, second]
        assert reader.first_version_within(name, hours(1, 5)) is None is reader.last_version_within(name, hours(6, 9))

    def test_made_again_is_a_batch_as_it_was_made(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, covering())
        clock.advance(hours=9)
        for interval in (hours(0, 1), hours(1, 6), hours(6, 7)):
            self.committed(writer, COLLECT, interval, staged("t000"))

        def asked(start: int, end: int) -> list[Interval]:
            event = {"flow": COLLECT, "from": to_text(hours(start, end).start), "to": to_text(hours(start, end).end)}
            found = resolve(event, writer.reader.programs(), writer.reader, "collect.test", clock.now)
            return [wanted.interval for wanted in found]

        assert asked(0, 8) == [hours(0, 1), hours(1, 6), hours(6, 7), hours(7, 8)]
        assert asked(1, 6) == [hours(1, 6)]
        for start, end in ((2, 6), (1, 5), (3, 4), (0, 5)):
            with pytest.raises(InputError, match=r"inside of the batch .*, in which 5 intervals were made as one"):
                asked(start, end)
        again = self.claimed(writer, COLLECT, hours(1, 6), staged("t000"), rerun=True)
        assert again.interval == hours(1, 6)

    def test_a_reader_that_keeps_its_intervals_has_a_version_for_each(self, writer: MetadataWriter, clock: SettableClock) -> None:
        keeps = replace(view(ABOVE, "lake.crm.t000", seconds=2 * HOUR), mode=Mode.APPEND)
        apply(writer, covering(1, keeps))
        clock.advance(hours=9)
        made = []
        while due := self.due(writer, clock):
            batch = next(iter(due.values()))
            self.committed(writer, batch.flow, batch.interval, *batch.datasets)
            made += [batch.interval.end] if batch.flow == LOAD else []
        assert made == [START + timedelta(hours=hour) for hour in (1, 3, 5, 7, 9, 10)]

    def test_a_load_takes_one_staged_batch_at_a_time_though_a_table_has_nothing_in_it(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        applied = apply(writer, covering(2))
        clock.advance(hours=9)
        for interval in (hours(0, 4), hours(4, 9)):
            self.committed(writer, COLLECT, interval, staged("t000"), changed=False)
            self.committed(writer, COLLECT, interval, staged("t001"))
        steps = OrganizeSteps(SLICE, SimpleNamespace(reader=writer.reader), lambda *_: None)  # type: ignore[arg-type,return-value]

        def fitted(mode: Mode, interval: Interval) -> Interval:
            return steps.fitted(
                BatchRequest(replace(applied.flows[LOAD], mode=mode), interval, ("lake.crm.t000",), {}, False, applied, 1)
            )

        assert fitted(Mode.MERGE, hours(0, 9)) == hours(0, 4)
        assert fitted(Mode.MERGE, hours(4, 9)) == hours(4, 9)
        assert fitted(Mode.MERGE, hours(2, 9)) == hours(2, 4), "where it begins inside of a staged batch"
        assert fitted(Mode.REPLACE, hours(0, 9)) == hours(0, 9)

    def test_a_view_that_follows_takes_the_intervals_that_read_one_version(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        log = replace(view(ABOVE, "lake.crm.t000"), mode=Mode.APPEND, follows=True)
        applied = apply(writer, covering(1, log))
        clock.advance(hours=12)
        for interval, changed in ((hours(0, 1), True), (hours(1, 6), True), (hours(6, 8), False), (hours(8, 9), True)):
            for flow, dataset in ((COLLECT, staged("t000")), (LOAD, "lake.crm.t000")):
                self.committed(writer, flow, interval, dataset, changed=changed)
        steps = OrganizeSteps(SLICE, SimpleNamespace(reader=writer.reader), lambda *_: None)  # type: ignore[arg-type,return-value]

        def fitted(start: int, end: int) -> Interval:
            return steps.fitted(BatchRequest(applied.flows[ABOVE], hours(start, end), (ABOVE,), {}, False, applied, 1))

        assert fitted(0, 9) == hours(0, 1), "the next hour is read from the version that covers it"
        assert fitted(1, 9) == hours(1, 8), "so is each until another version begins"
        assert fitted(2, 5) == hours(2, 5) and fitted(6, 9) == hours(6, 8) and fitted(8, 9) == hours(8, 9)
        assert self.due(writer, clock)[ABOVE].interval == hours(0, 9), "as far as its input has come"

    def test_what_was_made_as_one_is_verified_as_all_is(self, writer: MetadataWriter, clock: SettableClock, table: str) -> None:
        apply(writer, covering(2, view(ABOVE, "lake.crm.t000")))
        for step in (1, 7, 1, 30):
            clock.advance(hours=step)
            while due := self.due(writer, clock):
                batch = next(iter(due.values()))
                self.committed(writer, batch.flow, batch.interval, *batch.datasets, changed=step != 30)
        assert self.found(writer, clock, table) == []
        assert len([event for event in events(writer) if event.detail.get("intervals", 1) > 1]) > 2

    @pytest.mark.parametrize("changed", [COLLECT, ABOVE])
    @pytest.mark.parametrize("cut", range(1, 8))
    def test_what_a_restatement_cuts_is_made_again_up_to_it_for_readers_that_are_behind(
        self, writer: MetadataWriter, clock: SettableClock, table: str, cut: int, changed: str
    ) -> None:
        """A flow has made seven hours as one and an eighth, its reader nothing; from here on both are made otherwise."""
        reader = {COLLECT: LOAD, ABOVE: READER}[changed]
        name = {COLLECT: staged("t000"), ABOVE: ABOVE}[changed]
        before = apply(writer, covering(1, view(ABOVE, "lake.crm.t000"), view(READER, ABOVE)))
        for step in (6, 1):
            clock.advance(hours=step)
            while due := [batch for batch in self.due(writer, clock).values() if batch.flow != reader]:
                self.made(writer, due[0])
        after = replace(before, flows={**before.flows, changed: replace(before.flows[changed], query="SELECT 2")})
        scheduled(writer, after, hours(0, cut).end, restates=True)
        found: dict[str, list[Interval]] = {changed: [], reader: []}
        while due := list(self.due(writer, clock).values()):
            assert self.found(writer, clock, table) == []
            self.made(writer, due[-1])
            found.setdefault(due[-1].flow, []).append(due[-1].interval)
        one_by_one = [hours(hour, hour + 1) for hour in range(cut, 8)]
        assert found[changed] == ([hours(0, cut)] if cut < 7 else []) + one_by_one
        assert found[reader][0] == hours(0, cut)
        read = writer.reader.covering_version(name, hours(0, cut).end)
        assert read and read.interval == hours(0, cut) and read.pointer == {"made by": before.version}
        later = [writer.reader.covering_version(name, one.end) for one in one_by_one]
        assert [version.pointer for version in later if version] == [{"made by": after.version}] * len(one_by_one)

    def test_a_version_that_an_attempt_has_read_and_a_restatement_made_anew_is_not_read_by_the_next_attempt(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        """An input that may lag was read as its batch of eight hours left it. That end is the new program's now."""
        lagging = replace(view(READER, ABOVE), tolerates={ABOVE: 60})
        before = apply(writer, covering(1, view(ABOVE, "lake.crm.t000"), lagging))
        clock.advance(hours=7)
        while due := [batch for batch in self.due(writer, clock).values() if batch.flow != READER]:
            self.made(writer, due[0])
        services = SimpleNamespace(reader=writer.reader, writer=writer, clock=lambda: clock.now)
        steps = OrganizeSteps(SLICE, services, lambda *_: None)  # type: ignore[arg-type,return-value]
        flow = before.flows[READER]

        def read() -> tuple[str, Any]:
            held = writer.claim(READER, hours(5, 6), [READER], program_version=before.version, owner="one", lease_seconds=60)
            planned = steps.plan_table(Work(flow, flow.tables[0], held, before))
            assert planned
            return planned["reads"][ABOVE], planned["pointers"][ABOVE]

        old = {"made by": before.version}
        assert read() == read() == (to_text(hours(0, 8).end), old)
        after = replace(before, flows={**before.flows, ABOVE: replace(before.flows[ABOVE], query="SELECT 2")})
        scheduled(writer, after, hours(0, 6).end, restates=True)
        while due := [batch for batch in self.due(writer, clock).values() if batch.flow == ABOVE]:
            self.made(writer, due[0])
        assert read() == read() == (to_text(hours(0, 6).end), old)

    def test_an_input_that_may_lag_is_not_read_as_it_was_before_it_changed(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        """Its version of then would be young enough; the next one is of hours that it has made as one."""
        lagging = replace(view(READER, ABOVE), tolerates={ABOVE: 4 * HOUR})
        before = apply(writer, covering(1, view(ABOVE, "lake.crm.t000"), lagging))
        clock.advance(hours=2)
        while due := [batch for batch in self.due(writer, clock).values() if batch.flow != READER]:
            self.made(writer, due[0])
        after = replace(before, flows={**before.flows, ABOVE: replace(before.flows[ABOVE], query="SELECT 2")})
        scheduled(writer, after, hours(0, 3).end)
        clock.advance(hours=5)
        while due := [batch for batch in self.due(writer, clock).values() if batch.flow != READER]:
            self.made(writer, due[0])
        services = SimpleNamespace(reader=writer.reader, writer=writer, clock=lambda: clock.now)
        steps = OrganizeSteps(SLICE, services, lambda *_: None)  # type: ignore[arg-type,return-value]
        flow = after.flows[READER]
        held = writer.claim(READER, hours(4, 5), [READER], program_version=after.version, owner="one", lease_seconds=60)
        planned = steps.plan_table(Work(flow, flow.tables[0], held, after))
        assert planned and planned["pointers"][ABOVE] == {"made by": after.version}

    def made(self, writer: MetadataWriter, batch: DueBatch) -> None:
        """Claims and commits a batch, as the conductor and a slice do."""
        if batch.advanced:
            writer.settle(writer.reader.programs(), batch.flow)
        more = {"entry": batch.entry, "again_until": batch.again_until, "until": batch.until, "interval_seconds": HOUR}
        held = writer.claim(
            batch.flow, batch.interval, batch.datasets, program_version=batch.program, owner="one", lease_seconds=60, **more
        )
        made = {"pointer": {"made by": batch.program}, "cursor": f"{to_text(batch.interval.end)} {held.token}"}
        writer.commit(held, [TableCommit(dataset, 1, **made) for dataset in batch.datasets])

    def found(self, writer: MetadataWriter, clock: SettableClock, table: str) -> list[Difference]:
        items = [item for page in self._items(writer, table) for item in page["Items"]]
        return list(differences(Facts.of(items), writer.reader.programs(), clock.now, {}))

    def _items(self, writer: MetadataWriter, table: str) -> Any:
        return writer._client.get_paginator("scan").paginate(TableName=table)
