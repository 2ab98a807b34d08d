"""All that a run has made: every version of every dataset with its rows, what is recorded of the batches, the published tables.

Runs in a process of its own, past the doors.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyarrow.parquet as pq

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Flow, Kind, Mode, Program
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import Batch, EventKind, Version
from shared_metadata.store import items, keys
from systems.iceberg.tables import Tables, history
from tests.faults.covered import BATCH, RECORDED, Cover, Rows, as_covered, as_of

PUBLISHED = ("published.carrier_scorecard", "published.airport_delays")


@dataclass
class Contents:
    """tables: 'what as of when' ▸ its rows, each with every column, `_batch` first.  twice: what was made more than once.

    covers: the batches that covered several intervals.
    """

    tables: dict[str, Rows] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    covers: list[Cover] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(table.total() for table in self.tables.values())


def differences(found: Contents, expected: Contents, left_out: Mapping[str, str] | None = None) -> list[str]:
    """What differs between a run and one without faults, as lines with examples of rows; left_out: names that may differ.

    Intervals that the run has covered by one batch are taken together in the one without faults too.
    """
    lines = [f"made twice: {what}" for what in found.twice]
    lines += [f"{cover} is one batch of a flow that keeps its intervals" for cover in found.covers if not cover.may]
    wanted = as_covered(expected.tables, found.covers)
    for name in sorted({*found.tables, *wanted}):
        if left_out and name in left_out:
            continue
        mine, theirs = found.tables.get(name), wanted.get(name)
        if mine is None or theirs is None:
            lines.append(f"{name}: {'missing' if mine is None else 'unexpected'}")
        elif mine != theirs:
            missing, more = theirs - mine, mine - theirs
            lines.append(f"{name}: {missing.total()} rows missing {list(missing)[:2]}, {more.total()} unexpected {list(more)[:2]}")
    return lines


def read_contents(services: Services, program: Program, dsn: str, since: datetime) -> Contents:
    """Of an account and its target database."""
    found = Contents()
    for flow in program.flows.values():
        for table in flow.tables:
            _read_dataset(services, flow, table.dataset, since, found)
    _read_batches(services, program, since, found)
    with psycopg.connect(dsn) as connection:
        for name in PUBLISHED:
            found.tables[name] = _texts(connection.execute(f"SELECT * FROM {name}").fetchall())  # type: ignore[arg-type]
        receipts = connection.execute("SELECT flow, batch_start, batch_end FROM atoll.receipts").fetchall()
        found.tables["receipts"] = Counter(
            (f, str(Interval(start.astimezone(UTC), end.astimezone(UTC)))) for f, start, end in receipts
        )
        left = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'atoll' AND tablename <> 'receipts'").fetchall()
        found.tables["staging tables left in the target"] = _texts(left)
    return found


def _reached(cursor: str) -> str:
    """How far a cursor has come, without the numbers of the source's transactions, and a log's places: those depend on what else went
    on there."""
    values = json.loads(cursor) if cursor.startswith("{") else cursor
    if isinstance(values, dict) and "slot" in values:
        return "{}"
    return json.dumps({k: v for k, v in values.items() if k in ("column", "upto")}) if isinstance(values, dict) else cursor


def _read_dataset(services: Services, flow: Flow, dataset: str, since: datetime, found: Contents) -> None:
    """Its versions, named by the days from `since` to their ends."""
    tables = Tables(flow.warehouse or "lake", services, dataset)
    versions = list(_versions(services, dataset))
    table = tables.find(dataset) if any("snapshot_id" in version.pointer for version in versions) else None
    for version in versions:
        name = as_of(dataset, version.interval.end, since)
        if table is not None:
            read = tables.read(dataset, int(version.pointer["snapshot_id"]))
            urls, deletes = ([url.split("/", 3)[3] for url in some] for some in (read.files, read.deletes))
        else:
            urls, deletes = [file["key"] for file in json.loads(_body(services, version.pointer["manifest"]))["files"]], []
        found.tables[name] = _rows(services, urls, deletes)
        recorded = (
            str(version.interval),
            str(version.rows),
            str(version.schema_version),
            json.dumps(dict(sorted(version.reads.items()))),
        )
        found.tables[name + RECORDED] = Counter([recorded])
        if flow.kind == Kind.PUBLISH:
            counts = (str(version.pointer["upserts"]), str(version.pointer["deletes"]))
            found.tables.setdefault("published", Counter())[flow.id, str(version.interval), *counts] += 1
    made = (
        Counter((identity.flow, identity.start, identity.end, identity.token) for _, identity in history(table))
        if table is not None
        else Counter()
    )
    found.twice += [f"{dataset}: snapshot of {batch}" for batch, count in made.items() if count > 1]


def _versions(services: Services, dataset: str) -> Iterator[Version]:
    for values in services.reader._query(keys.version(dataset, datetime.now(UTC))["pk"], "VERSION#"):
        yield items.version(values)


def _read_batches(services: Services, program: Program, since: datetime, found: Contents) -> None:
    """Which batches were made, and that each was told once.

    Left out are loads of nothing: an empty batch of a source completes its load as well, if that does not lag behind.
    """
    told: Counter[tuple[str, str, str]] = Counter()
    for event in services.reader.events(since, services.clock() + timedelta(days=2)):  # of a clock that was ahead
        if event.kind == EventKind.BATCH_COMPLETED:
            for dataset in event.detail["datasets"]:
                told[event.flow, str(Interval(from_text(event.detail["start"]), from_text(event.detail["end"]))), dataset] += 1
    found.twice += [f"event of {batch}" for batch, count in told.items() if count > 1]
    outcomes, states, empty = Counter[tuple[str, ...]](), Counter[tuple[str, ...]](), set[tuple[str, str, str]]()
    for flow, state in services.reader.flow_states(list(program.flows)).items():
        for name in state.tables:
            for batch in services.reader.batches(flow, name, 100):
                o = batch.outcomes.get(name)
                found.covers += _covered(batch, program, name, since) if o else ()
                if o and program.flows[flow].kind == Kind.LOAD and not o.rows:
                    empty.add((flow, str(batch.interval), name))
                elif o:
                    outcomes[flow, str(batch.interval), name, str(o.status), str(o.rows)] += 1
        states.update((flow, name, str(t.watermark), _reached(t.cursor), str(t.attempts)) for name, t in state.tables.items())
    found.tables |= {"batches": outcomes, "states": states}
    found.tables["events"] = Counter(tuple(batch) for batch in told if batch not in empty)


def _covered(batch: Batch, program: Program, dataset: str, since: datetime) -> Iterator[Cover]:
    flow, interval = program.flows[batch.flow], batch.interval
    each = timedelta(seconds=flow.interval_seconds)
    if interval.end - interval.start > each:
        adds = flow.kind == Kind.PUBLISH or (flow.kind in (Kind.COLLECT, Kind.LOAD) and flow.mode == Mode.MERGE) or flow.follows
        yield Cover(flow.id, dataset, interval, each, since, flow.kind, adds, flow.covers or flow.follows)


def _rows(services: Services, urls: list[str], deletes: list[str]) -> Rows:
    """Of these files, without those rows that the others name as deleted."""
    rows: Rows = Counter()
    named = [row for key in deletes for row in pq.read_table(io.BytesIO(_body(services, key))).to_pylist()]
    for key in urls:
        table = pq.read_table(io.BytesIO(_body(services, key)))
        deleted = {row["pos"] for row in named if row["file_path"].endswith(f"/{key}")}
        table = table.take([number for number in range(len(table)) if number not in deleted])
        columns = [table.column(name).to_pylist() for name in sorted(table.column_names, key=lambda name: (name != BATCH, name))]
        rows.update(_texts(list(zip(*columns, strict=True))))
    return rows


def _texts(rows: list[Any]) -> Rows:
    return Counter(tuple(map(str, row)) for row in rows)


def _body(services: Services, key: str) -> bytes:
    return services.s3.get_object(Bucket=services.environment.atoll_data_bucket, Key=key)["Body"].read()
