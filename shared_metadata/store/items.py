"""DynamoDB's attribute values to records and back; low-level client only, since the resource layer costs a cold start."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from shared_metadata.program import from_plain
from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.state.entries import Entry, Timeline
from shared_metadata.state.records import (
    Batch,
    DeadLetter,
    Event,
    EventKind,
    FlowState,
    LastChange,
    Moved,
    Quiesce,
    SchemaVersion,
    TableOutcome,
    TableState,
    Version,
    Wait,
    Worker,
)
from shared_metadata.store import keys

Item = dict[str, Any]
MOVED = "moved "  # and a dataset: the attribute of a batch's table with the dataset's state after it (records.Moved)


def to_item(values: Mapping[str, Any]) -> Item:
    """Plain values as DynamoDB's; floats become exact decimals."""
    serialize = _serializer().serialize
    return {name: serialize(_to_decimal(value)) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB's values as plain ones; numbers become int or float. boto3's own way is four times slower."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return _number(value)
        case "M":
            return {name: _plain(inner) for name, inner in value.items()}
        case "L":
            return list(map(_plain, value))
        case "NULL":
            return None
        case "B":
            return bytes(value)
    raise TypeError(f"an attribute of type {kind}")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        found = float(text)
        return int(found) if found.is_integer() else found


@cache
def _serializer() -> Any:
    """boto3's own serializer; imported here so that a program can be checked without an AWS SDK."""
    from boto3.dynamodb.types import TypeSerializer

    return TypeSerializer()


def _to_decimal(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {key: _to_decimal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_decimal(inner) for inner in value]
    return value


def flow_states(found: Iterable[Mapping[str, Any]]) -> dict[str, FlowState]:
    """The flows' states from items of datasets' states, in any order."""
    tables: dict[str, dict[str, TableState]] = {}
    for values in found:
        tables.setdefault(values["flow"], {})[values["dataset"]] = table_state(values)
    return {flow: FlowState(flow, of_flow) for flow, of_flow in tables.items()}


def table_state(values: Mapping[str, Any]) -> TableState:
    """A dataset's state. Commits rewrite its `table`; they leave `begins` and the marks of drift alone."""
    table, last = values["table"], values.get("last")
    return TableState(
        watermark=from_text(table["watermark"]),
        cursor=table.get("cursor", ""),
        attempts=table.get("attempts", 0),
        retry_at=_moment(table.get("retry_at")),
        error=table.get("error", ""),
        entry=table.get("entry", 0),
        again_until=_moment(table.get("again_until")),
        begins=_moment(values.get("begins")),
        forgiven=table.get("forgiven", 0),
        dead_letter=dead_letter(table["dead_letter"]) if "dead_letter" in table else None,
        last=LastChange(**json.loads(last)) if last else None,
        skipped=tuple(Interval(from_text(start), from_text(end)) for start, end in values.get("skipped", ())),
        quiesced=_marks(values),
    )


def _marks(values: Mapping[str, Any]) -> tuple[Quiesce, ...]:
    found = (
        Quiesce(m["drift"], from_text(m["since"]), m["program"]) for name, m in values.items() if name.startswith(keys.QUIESCE_PREFIX)
    )
    return tuple(sorted(found, key=attrgetter("drift")))


def _moment(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def last_text(change: LastChange) -> str:
    """The last change as text: one value to read instead of one for each figure."""
    values = {name: value for name, value in vars(change).items() if name != "beyond" or value}  # most tables have none
    return json.dumps(values, separators=(",", ":"))


def new_state(flow: str, dataset: str, state: TableState) -> dict[str, Any]:
    """The item of a new dataset."""
    found = {**keys.state(flow, dataset), "flow": flow, "dataset": dataset, "table": state_values(state)}
    found |= {"begins": to_text(state.begins)} if state.begins else {}
    return found | ({"last": last_text(state.last)} if state.last else {})


def dead_letter(values: Mapping[str, Any]) -> DeadLetter:
    told_at = values.get("told_at")
    return DeadLetter(from_text(values["at"]), values["execution"], from_text(told_at) if told_at else None)


def state_values(state: TableState) -> dict[str, Any]:
    """A table's state as commits rewrite it; absent values are left out."""
    found: dict[str, Any] = {"watermark": to_text(state.watermark), "cursor": state.cursor, "entry": state.entry}
    found |= {"again_until": to_text(state.again_until)} if state.again_until else {}
    return {**found, **({"attempts": state.attempts, "forgiven": state.forgiven} if state.attempts else {})}


def timeline(values: Mapping[str, Any]) -> Timeline:
    return Timeline(tuple(map(entry, values["entries"])), values["revision"])


def entry(values: Mapping[str, Any]) -> Entry:
    moments = {name: from_text(values[name]) for name in ("boundary", "at")}
    return Entry(**{**values, **moments})


def timeline_values(timeline: Timeline) -> dict[str, Any]:
    entries = [{**vars(e), "boundary": to_text(e.boundary), "at": to_text(e.at)} for e in timeline.entries]
    return {"entries": entries, "revision": timeline.revision}


def batches(heads: Iterable[Mapping[str, Any]], tables: Iterable[Mapping[str, Any]]) -> dict[tuple[str, datetime], Batch]:
    """Batches by flow and start; each with its own of these tables. Without a head, its last claim has the shared values."""
    own: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    shared = {(head["flow"], head["start"]): head for head in heads}
    for values in tables:
        own.setdefault((values["flow"], values["start"]), []).append(values)
    for key in own.keys() - shared.keys():
        shared[key] = max(own[key], key=lambda values: (values["worker"]["token"], values["end"]))
    found = (batch(head, own.get(key, ())) for key, head in shared.items())
    return {(one.flow, one.interval.start): one for one in found}


def batch(head: Mapping[str, Any], tables: Iterable[Mapping[str, Any]]) -> Batch:
    known = sorted(tables, key=itemgetter("dataset"))
    workers = {values["dataset"]: worker(values["worker"]) for values in known}
    return Batch(
        flow=head["flow"],
        interval=interval(head),
        token=max((one.token for one in workers.values()), default=0),
        datasets=tuple(workers),
        program_version=head["program_version"],
        outcomes={v["dataset"]: from_plain(TableOutcome, v["outcome"]) for v in known if "outcome" in v},
        workers=workers,
        pins={v["dataset"]: v["pins"]["ends"] for v in known if "pins" in v},
        moved={name.removeprefix(MOVED): Moved(**inner) for v in known for name, inner in v.items() if name.startswith(MOVED)},
    )


def head_values(batch: Batch) -> dict[str, Any]:
    """The item of what the tables of a batch share."""
    return {**keys.batch(batch.flow, batch.interval.start), **shared_values(batch.flow, batch.interval, batch.program_version)}


def batch_table_values(batch: Batch, dataset: str, moved: Mapping[str, Moved]) -> dict[str, Any]:
    """The item of one of a batch's tables; moved: the states of its dataset, and of the one that it completed being empty."""
    outcome = {"outcome": outcome_values(batch.outcomes[dataset])} if dataset in batch.outcomes else {}
    return {
        **keys.batch_table(batch.flow, batch.interval.start, dataset),
        **shared_values(batch.flow, batch.interval, batch.program_version),
        "dataset": dataset,
        "worker": worker_values(batch.workers[dataset]),
        **outcome,
        **{f"{MOVED}{name}": vars(one) for name, one in moved.items()},
    }


def shared_values(flow: str, interval: Interval, program_version: str) -> dict[str, str]:
    """The values that a batch's tables share: an item of its own, copied into each table as it was at its claim."""
    return {"flow": flow, **interval_values(interval), "program_version": program_version}


def outcome_values(outcome: TableOutcome) -> dict[str, Any]:
    return {**vars(outcome), "status": outcome.status.value}


def worker(values: Mapping[str, Any]) -> Worker:
    waits = wait(values["waits"]) if "waits" in values else None
    return Worker(values["token"], values["owner"], from_text(values["lease_until"]), waits)


def worker_values(worker: Worker) -> dict[str, Any]:
    waits = {"waits": wait_values(worker.waits)} if worker.waits else {}
    return {"token": worker.token, "owner": worker.owner, "lease_until": to_text(worker.lease_until), **waits}


def wait(values: Mapping[str, Any]) -> Wait:
    return Wait(values["what"], values["step"], from_text(values["since"]), from_text(values["next_look"]))


def wait_values(wait: Wait) -> dict[str, str]:
    return {"what": wait.what, "step": wait.step, "since": to_text(wait.since), "next_look": to_text(wait.next_look)}


def version_values(version: Version) -> dict[str, Any]:
    return {
        **keys.version(version.dataset, version.interval.end),
        "dataset": version.dataset,
        **interval_values(version.interval),
        "pointer": dict(version.pointer),
        "rows": version.rows,
        "schema_version": version.schema_version,
        "token": version.token,
        "reads": dict(version.reads),
    }


def version(values: Mapping[str, Any]) -> Version:
    return Version(
        dataset=values["dataset"],
        interval=interval(values),
        pointer=values["pointer"],
        rows=values["rows"],
        schema_version=values["schema_version"],
        token=values["token"],
        reads=values.get("reads", {}),
        followed_by=interval(values["followed_by"]) if "followed_by" in values else None,
    )


def schema_version(values: Mapping[str, Any]) -> SchemaVersion:
    return from_plain(
        SchemaVersion,
        {
            "dataset": values["dataset"],
            "number": values["number"],
            "schema": json.loads(values["schema"]),
            "layout": json.loads(values["layout"]),
            "signature": values.get("signature", ""),
            "program_version": values.get("program_version", ""),
            "origins": json.loads(values.get("origins", "{}")),
        },
    )


def event(values: Mapping[str, Any]) -> Event:
    return Event(EventKind(values["kind"]), from_text(values["at"]), values["flow"], values["detail"])


def interval(values: Mapping[str, Any]) -> Interval:
    return Interval(from_text(values["start"]), from_text(values["end"]))


def interval_texts(intervals: tuple[Interval, ...]) -> list[list[str]]:
    return [[to_text(interval.start), to_text(interval.end)] for interval in intervals]


def interval_values(interval: Interval) -> dict[str, str]:
    return {"start": to_text(interval.start), "end": to_text(interval.end)}
