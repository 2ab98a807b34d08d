"""What of an installation's records is in the tables, and that each is there once, whatever is late, run again or broken."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from language import ProgramErrors, compile_program
from shared_metadata.contract.collect import CollectSteps
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Column, Connection, Flow, Kind, Mask, Mode, Position, Program, Table, from_plain
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import ConnectionSchemas
from shared_metadata.state.records import TableCommit
from slices.collect.atoll import extracting
from slices.collect.atoll.client import AtollSource
from slices.collect.atoll.config import SAFE_SECONDS
from slices.collect.atoll.files import RecordFiles
from slices.collect.atoll.records import Records
from slices.collect.atoll.slice import SLICE
from slices.collect.atoll.tables import AGED, BATCHES, KEPT, RECEIPTS, REFUSED, REPLACED
from slices.registry import installed
from tests.conformance.broken import Ended, batch
from tests.conformance.fixtures import BatchRun, Cloud, FakeContext, open_cloud, run_batch
from tests.conformance.hostile import NAMES

HERE, QUARTER, HOUR = Position("program.sql", 1, 1), timedelta(minutes=15), timedelta(hours=1)
PUBLICATION, RESULT, BESIDE = "partner.carriers", "partner.carriers:result", "lake.ops.carriers"
MADE_OF_IT = "lake.ops.failing"
Rows = list[dict[str, Any]]


@dataclass
class Installation:
    """A publication, and flows that collect Atoll's records every 15 minutes.  options: of their connection."""

    cloud: Cloud
    options: dict[str, Any] = field(default_factory=lambda: {"lag": 0})
    more: dict[str, Any] = field(default_factory=dict)  # of the flows

    def apply(self) -> None:
        collected = (self._collect(name) for name in (RECEIPTS, REFUSED, BATCHES))
        publication = Table(PUBLICATION, inputs=(RESULT,))
        flows = (
            Flow(BESIDE, Kind.VIEW, "organize.iceberg", "lake", 3600, (Table(BESIDE),), HERE),
            Flow(RESULT, Kind.RESULT, "organize.iceberg", "lake", 3600, (Table(RESULT, inputs=(BESIDE,)),), HERE),
            Flow(PUBLICATION, Kind.PUBLISH, "harness.webhook", "", 3600, (publication,), HERE, connection="partner"),
            *collected,
            Flow("lake.x.batches:load", Kind.LOAD, "organize.iceberg", "lake", 900, (self._read(BATCHES),), HERE),
            Flow(MADE_OF_IT, Kind.VIEW, "organize.iceberg", "lake", 900, (Table(MADE_OF_IT, inputs=("lake.x.batches",)),), HERE),
        )
        connections = {
            "own": Connection("own", "atoll", self.options, HERE),
            "partner": Connection("partner", "webhook", {"secret": "partner"}, HERE),
        }
        self.cloud.apply(Program(connections, {}, {flow.id: flow for flow in flows}))

    def _collect(self, name: str) -> Flow:
        table = Table(f"lake.x.{name}:staged", name, masks=self.more.get("masks", {}))
        given = {"mode": Mode.APPEND, "cursor": "completed_at", **{k: v for k, v in self.more.items() if k != "masks"}}
        return Flow(f"lake.x.{name}", Kind.COLLECT, SLICE.id, "lake", 900, (table,), HERE, connection="own", **given)

    def _read(self, name: str) -> Table:
        return Table(f"lake.x.{name}", inputs=(f"lake.x.{name}:staged",))

    # -- what happens in it

    def publish(
        self,
        at: datetime,
        upserts: int = 1,
        deletes: int = 0,
        refused: Sequence[tuple[str, str]] = (),
        *,
        again: datetime | None = None,
    ) -> datetime:
        """Commits the publication's next batch, or that which starts at `again`, at a moment; returns its start."""
        state = self.cloud.reader.flow_states([PUBLICATION])[PUBLICATION].tables[PUBLICATION]
        start, rerun = again or state.watermark, again is not None
        claim = self._claim(PUBLICATION, start, rerun=rerun, at=at)
        staging = Staging(self.cloud.s3, self.cloud.bucket, "harness.webhook", claim)
        files = [self._refused(staging.rejected(f"{n}.parquet"), start, *row) for n, row in enumerate(refused)]
        pointer = {"manifest": "staging/x", "upserts": upserts, "deletes": deletes, "total_rows": upserts}
        pointer |= {"rejected": files} if files else {}
        used = {"lambda_arm64_gb_second": 60.0}
        commit = TableCommit(PUBLICATION, upserts + deletes, seconds=2.5, pointer=pointer, rejected=len(files), used=used)
        self.cloud.writer.commit(claim, [commit])
        return start

    def commit(self, flow: str, at: datetime, dataset: str = "", pointer: Mapping[str, Any] | None = None) -> None:
        """Commits the next batch of another flow."""
        name = dataset or flow
        claim = self._claim(flow, self.cloud.reader.flow_states([flow])[flow].tables[name].watermark, at=at, dataset=name)
        self.cloud.writer.commit(claim, [TableCommit(name, rows=3 if pointer else 0, pointer=pointer)])

    def _claim(self, flow: str, start: datetime, *, at: datetime, rerun: bool = False, dataset: str = "") -> Any:
        self.cloud.clock.now = at
        version = self.cloud.reader.active_version()
        length = timedelta(seconds=self.cloud.reader.active_program().flows[flow].interval_seconds)
        interval = Interval(start, start + length)
        given: dict[str, Any] = {"program_version": version, "owner": "test", "lease_seconds": 0, "rerun": rerun}
        return self.cloud.writer.claim(flow, interval, [dataset or flow], **given)

    def _refused(self, key: str, start: datetime, reason: str, data: str) -> dict[str, Any]:
        table, body = pa.table({"_batch": [start], "stage": ["harness"], "reason": [reason], "data": [data]}), io.BytesIO()
        pq.write_table(table, body)
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=body.getvalue())
        return {"key": key, "rows": 1}

    # -- what is collected of it

    def steps(self) -> CollectSteps:
        services = self.cloud.services(SLICE.id)
        return CollectSteps(SLICE, services, lambda connection, _: AtollSource(connection, services))

    def run(self, name: str = RECEIPTS, **how: Any) -> BatchRun:
        return run_batch(self.steps(), self.cloud.event(f"lake.x.{name}"), **how)

    def rows(self, name: str = RECEIPTS) -> Rows:
        found = self.cloud.rows(f"lake.x.{name}:staged")
        return found.to_pylist() if found is not None else []

    def taken(self, name: str = RECEIPTS, **how: Any) -> Rows:
        """What the next batch brings."""
        return self.rows(name) if self.run(name, **how).results and self.ended_now(name) else []

    def ended_now(self, name: str) -> bool:
        """Whether the last batch made a version."""
        dataset = f"lake.x.{name}:staged"
        state = self.cloud.reader.flow_states([f"lake.x.{name}"])[f"lake.x.{name}"].tables[dataset]
        return self.cloud.reader.version_of(dataset, state.watermark) is not None

    def next_start(self, name: str = RECEIPTS) -> datetime:
        flow = f"lake.x.{name}"
        return self.cloud.reader.flow_states([flow])[flow].tables[f"{flow}:staged"].watermark

    def refusal(self, name: str = RECEIPTS) -> str:
        (failed,) = self.run(name, record_errors=True).planned["failed"]
        return str(failed["error"])


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def own(cloud: Cloud) -> Installation:
    found = Installation(cloud)
    found.apply()
    return found


# -- what is in the tables


def test_a_receipt_tells_what_was_sent_taken_and_refused(own: Installation) -> None:
    at = own.next_start() + timedelta(minutes=3, microseconds=5)
    start = own.publish(at, 5, 2, [("AA: too wide", '{"carrier": "AA"}')])
    (row,) = own.taken()
    assert row.pop("dollars") == pytest.approx(0.0008, rel=0.1) and row.pop("_batch") == at - timedelta(minutes=3, microseconds=5)
    assert row == {
        "dataset": PUBLICATION, "flow": PUBLICATION, "batch_start": start, "batch_end": start + HOUR, "completed_at": at, "token": 1,
        "connection": "partner", "slice": "harness.webhook", "sent": 8, "upserts": 5, "deletes": 2, "refused": 1, "holds": 5,
        "unsure": False, "seconds": 2.5, "program_version": own.cloud.reader.active_version(), "record": KEPT,
    }  # fmt: skip


def test_each_refused_row_has_its_reason_and_what_was_to_be_published(own: Installation) -> None:
    at = own.next_start(REFUSED) + timedelta(minutes=3)
    start = own.publish(at, 1, 0, [("no such \"column\" 'x'", '{"a": "é\\n"}'), ("too wide", "{}")])
    found = sorted(own.taken(REFUSED), key=lambda row: row["data"])
    assert [(row["reason"], row["data"]) for row in found] == [("no such \"column\" 'x'", '{"a": "é\\n"}'), ("too wide", "{}")]
    assert {(r["dataset"], r["connection"], r["batch_start"], r["completed_at"], r["token"]) for r in found} == {
        (PUBLICATION, "partner", start, at, 1)
    }


def test_every_batch_is_in_batches_but_those_that_are_made_of_what_is_collected_here(own: Installation) -> None:
    at = own.next_start(BATCHES)
    own.publish(at)
    own.commit(BESIDE, at, pointer={"snapshot_id": 7})
    own.commit(RESULT, at)
    own.commit("lake.x.receipts", at, "lake.x.receipts:staged", {"manifest": "x"})
    own.commit("lake.x.batches:load", at, "lake.x.batches", {"snapshot_id": 8})
    own.commit(MADE_OF_IT, at, pointer={"snapshot_id": 9})
    found = {row["dataset"]: (row["stage"], row["changed"], row["rows"]) for row in own.taken(BATCHES)}
    assert found == {PUBLICATION: ("harness", True, 1), BESIDE: ("organize", True, 3), RESULT: ("organize", False, 0)}


def test_a_batch_that_was_run_again_before_it_was_collected_is_said_to_be_replaced(own: Installation) -> None:
    at = own.next_start()
    start = own.publish(at, 5, 0, [("why", "{}")])
    own.publish(at + timedelta(minutes=1), 6, again=start)
    found = sorted(own.taken(), key=lambda row: row["token"])
    assert [(r["token"], r["record"], r["upserts"], r["refused"]) for r in found] == [(1, REPLACED, None, None), (2, KEPT, 6, 0)]
    assert own.taken(REFUSED) == []


def test_a_batch_whose_record_has_aged_has_what_its_event_says(own: Installation) -> None:
    at = own.next_start(BATCHES)
    own.publish(at, 5, 2)
    pages = own.cloud.dynamodb.query(
        TableName=own.cloud.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"FLOW#{PUBLICATION}"}},
    )
    for item in pages["Items"]:
        if item["sk"]["S"].startswith(("TABLE#", "BATCH#")):
            own.cloud.dynamodb.delete_item(TableName=own.cloud.table, Key={name: item[name] for name in ("pk", "sk")})
    (row,) = own.taken(BATCHES)
    assert (row["record"], row["rows"], row["bytes"], row["seconds"], row["changed"]) == (AGED, 7, None, None, None)
    assert row["stage"] == "harness"  # the active program has the flow


# -- each once


def test_each_record_is_of_one_batch_though_some_are_written_late(cloud: Cloud) -> None:
    own = Installation(cloud, options={})
    own.apply()
    begin, found, published = own.next_start(), list[int](), 0
    for number in range(6):
        end = begin + (number + 1) * QUARTER
        for late in (timedelta(0), timedelta(microseconds=1), QUARTER + timedelta(seconds=SAFE_SECONDS - 1)):
            own.publish(end - late, published + 1)
            published += 1
        cloud.clock.now = end + timedelta(seconds=1)
        found += [row["upserts"] for row in own.taken()]
    for _ in range(3):
        found += [row["upserts"] for row in own.taken()]
    assert sorted(found) == list(range(1, published + 1))


def test_a_batch_that_is_run_again_brings_what_it_brought(own: Installation) -> None:
    begin = own.next_start()
    own.publish(begin, 1)
    own.taken()
    own.publish(begin + QUARTER, 2)
    own.taken()
    interval = Interval(begin, begin + QUARTER)
    run_batch(own.steps(), own.cloud.event("lake.x.receipts", rerun=True, interval=interval))
    version = own.cloud.reader.version_of("lake.x.receipts:staged", interval.end)
    assert version is not None and (version.rows, version.token) == (1, 2)
    own.publish(begin + 2 * QUARTER, 3)
    assert [row["upserts"] for row in own.taken()] == [3]


def test_an_interval_that_no_batch_was_made_of_is_what_was_recorded_in_it(own: Installation) -> None:
    interval = Interval(own.next_start() - 2 * QUARTER, own.next_start() - QUARTER)
    for number, at in enumerate((interval.start - timedelta(microseconds=1), interval.start, interval.end)):
        own.publish(at, number)
    run_batch(own.steps(), own.cloud.event("lake.x.receipts", rerun=True, interval=interval))
    assert [row["upserts"] for row in own.rows()] == [1]


@pytest.mark.parametrize("name", [RECEIPTS, REFUSED, BATCHES])
def test_an_extract_that_is_out_of_time_goes_on_where_it_was(own: Installation, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "RECORDS_AT_ONCE", 2)
    begin = own.next_start(name)
    for number in range(7):
        own.publish(begin + timedelta(seconds=number), refused=[("why", str(number))])
    run = own.run(name, context=lambda _: FakeContext(5))
    assert run.calls["extract"] == 5 and sorted(row["completed_at"].second for row in own.rows(name)) == list(range(7))


@pytest.mark.parametrize("at", range(6))
def test_whatever_is_killed_each_row_is_there_once(own: Installation, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "RECORDS_AT_ONCE", 2)
    calls = iter(range(100))

    def killed(whole: Any) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            result = whole(*given, **named)
            if next(calls) == at:
                raise Ended
            return result

        return called

    begin = own.next_start(REFUSED)
    for number in range(5):
        own.publish(begin + timedelta(seconds=number), refused=[("why", str(number))])
    monkeypatch.setattr(RecordFiles, "add", killed(RecordFiles.add))
    monkeypatch.setattr(Records, "of", killed(Records.of))
    batch(own, "lake.x.refused_rows")
    assert sorted(row["data"] for row in own.rows(REFUSED)) == ["0", "1", "2", "3", "4"]
    assert next(calls) > at


def test_where_only_own_batches_were_recorded_nothing_is_begun(own: Installation) -> None:
    own.taken()
    at = own.next_start()
    own.commit("lake.x.batches:load", at, "lake.x.batches", {"snapshot_id": 8})
    assert own.run().calls == {}


# -- what there is no more


def test_a_flow_that_stood_still_for_longer_than_records_are_kept_is_told_so(own: Installation) -> None:
    own.taken()
    own.cloud.clock.advance(days=91)
    said = own.refusal()
    assert "is deleted after 90 days" in said and "gap = 'skip'" in said and "program.sql:1:1" in said
    own.options["gap"] = "skip"
    own.apply()
    own.run()


def test_a_file_of_refused_rows_that_is_gone_is_told_with_its_batch(own: Installation) -> None:
    at = own.next_start(REFUSED)
    own.publish(at, refused=[("why", "{}")])
    (key,) = own.cloud.keys("rejected/")
    own.cloud.s3.delete_object(Bucket=own.cloud.bucket, Key=key)
    error = own.run(REFUSED, record_errors=True).errors["lake.x.refused_rows:staged"]
    assert isinstance(error, DefinitionError) and f"1 refused rows of {PUBLICATION}, of its batch of" in str(error)
    assert "gap = 'skip'" in str(error)
    own.cloud.clock.advance(hours=1)
    own.options["gap"] = "skip"
    own.apply()
    own.run(REFUSED)
    assert own.rows(REFUSED) == []


# -- what a statement may say


def test_a_statement_takes_columns_and_rows_under_any_names_and_hashes_them(cloud: Cloud) -> None:
    columns = (*(Column(name, "Data" if n % 2 else "reason") for n, name in enumerate(NAMES)), Column("completed_at", "completed_at"))
    more = {"columns": columns, "filter": "reason = 'b''c' AND completed_at > batch_start", "masks": {NAMES[0]: Mask.DROP}}
    own = Installation(cloud, more=more)
    own.apply()
    own.publish(own.next_start(REFUSED) + timedelta(minutes=3), refused=[("a", "1"), ("b'c", "2")])
    (row,) = own.taken(REFUSED)
    assert [row[name] for name in NAMES[1:]] == ["2" if n % 2 else "b'c" for n in range(1, len(NAMES))]
    assert NAMES[0] not in row


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cursor": "batch_start", "columns": (Column("batch_start", "batch_start"),)}, "write CURSOR completed_at"),
        ({"columns": (Column("x", "reasn"),)}, "refused_rows has no column reasn"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(cloud: Cloud, more: Mapping[str, Any], said: str) -> None:
    own = Installation(cloud, more=dict(more))
    own.apply()
    assert said in own.refusal(REFUSED)


def test_what_discover_sees_without_a_secret_is_what_statements_are_checked_by(cloud: Cloud) -> None:
    services = cloud.services(SLICE.id)
    look = DiscoverStep(SLICE, services, lambda connection, _: AtollSource(connection, services))
    asked = {"connection": {"name": "own", "system": "atoll", "options": {}}}
    names = look(asked, FakeContext())["names"]
    found = look({**asked, "tables": [*names, "recepts"]}, FakeContext())
    assert names == [BATCHES, RECEIPTS, REFUSED] and found["close"] == {"recepts": RECEIPTS}
    tables = {name: from_plain(Schema, plain) if plain else None for name, plain in found["tables"].items()}
    schemas = {"own": ConnectionSchemas("own", "atoll", tables)}
    head = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION own TO atoll; INSERT INTO lake.x.y EVERY '1 hour' APPEND "
    program = compile_program({"p.sql": f"{head} AS SELECT * FROM own.receipts WHERE refused > 0;"}, installed(), schemas)
    assert program.flows["lake.x.y"].cursor == "completed_at"
    with pytest.raises(ProgramErrors, match="the cursor `batch_start` is timestamptz: its values do not rise"):
        compile_program({"p.sql": f"{head} CURSOR batch_start AS SELECT * FROM own.receipts;"}, installed(), schemas)
