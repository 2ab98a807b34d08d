"""DynamoDB's attribute values to records and back; low-level client only, since the resource layer costs a cold start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from shared_metadata import keys
from shared_metadata.intervals import Interval, from_text, to_text
from shared_metadata.program import from_plain
from shared_metadata.records import (
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
    Worker,
)
from shared_metadata.timeline import BEGINNING, Entry, Timeline

Item = dict[str, Any]
MOVED = "moved "  # and a dataset: the attribute of a batch that holds what it left of it (records.Moved)


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
    """boto3's own; imported here so that a program can be checked without an AWS SDK."""
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


def flow_state(values: Mapping[str, Any]) -> FlowState:
    tables = {name: table_state(inner, values.get(begins(name)), values.get(last(name))) for name, inner in values["tables"].items()}
    marks = sorted((inner["drift"], inner) for name, inner in values.items() if name.startswith(keys.QUIESCE_PREFIX))
    skipped = tuple(Interval(from_text(start), from_text(end)) for start, end in values.get("skipped", ()))
    return FlowState(values["flow"], tables, tuple(quiesce(mark) for _, mark in marks), skipped)


def quiesce(values: Mapping[str, Any]) -> Quiesce:
    return Quiesce(values["drift"], {name: from_text(since) for name, since in values["since"].items()}, values["program"])


def begins(dataset: str) -> str:
    """The attribute of a flow's state that holds where a dataset begins; commits write the rest anew and leave it alone."""
    return f"begins {dataset}"


def last(dataset: str) -> str:
    """The attribute of a flow's state that holds a dataset's LastChange, as text: a value to read instead of one a figure."""
    return f"last {dataset}"


def last_text(change: LastChange) -> str:
    return json.dumps(vars(change), separators=(",", ":"))


def table_state(values: Mapping[str, Any], begins: str | None, last: str | None = None) -> TableState:
    retry_at = values.get("retry_at")
    return TableState(
        watermark=from_text(values["watermark"]),
        cursor=values.get("cursor", ""),
        attempts=values.get("attempts", 0),
        retry_at=from_text(retry_at) if retry_at else None,
        error=values.get("error", ""),
        entry=values.get("entry", 0),
        again_until=from_text(values["again_until"]) if values.get("again_until") else None,
        begins=from_text(begins) if begins else None,
        forgiven=values.get("forgiven", 0),
        dead_letter=dead_letter(values["dead_letter"]) if "dead_letter" in values else None,
        last=LastChange(**json.loads(last)) if last else None,
    )


def dead_letter(values: Mapping[str, Any]) -> DeadLetter:
    told_at = values.get("told_at")
    return DeadLetter(from_text(values["at"]), values["execution"], from_text(told_at) if told_at else None)


def state_values(state: TableState) -> dict[str, Any]:
    """A table's state as commits write it anew; what it does not have is left out."""
    found: dict[str, Any] = {"watermark": to_text(state.watermark), "cursor": state.cursor, "entry": state.entry}
    found |= {"again_until": to_text(state.again_until)} if state.again_until else {}
    return {**found, **({"attempts": state.attempts, "forgiven": state.forgiven} if state.attempts else {})}


def timeline(values: Mapping[str, Any]) -> Timeline:
    """Of an account in which one program was active without a boundary: that program, for all times."""
    if "entries" not in values:
        return Timeline((Entry(values["version"], BEGINNING, from_text(values["at"])),))
    return Timeline(tuple(map(entry, values["entries"])), values["revision"])


def entry(values: Mapping[str, Any]) -> Entry:
    moments = {name: from_text(values[name]) for name in ("boundary", "at")}
    return Entry(**{**values, **moments})


def timeline_values(timeline: Timeline) -> dict[str, Any]:
    entries = [{**vars(e), "boundary": to_text(e.boundary), "at": to_text(e.at)} for e in timeline.entries]
    return {"entries": entries, "revision": timeline.revision}


def batch(values: Mapping[str, Any]) -> Batch:
    return Batch(
        flow=values["flow"],
        interval=interval(values),
        token=values["token"],
        datasets=tuple(values["datasets"]),
        program_version=values["program_version"],
        outcomes={name: from_plain(TableOutcome, inner) for name, inner in values["outcomes"].items()},
        workers={name: worker(inner) for name, inner in values["workers"].items()},
        pins=values.get("pins", {}),
        moved={name.removeprefix(MOVED): Moved(**inner) for name, inner in values.items() if name.startswith(MOVED)},
    )


def batch_values(batch: Batch) -> dict[str, Any]:
    return {
        **keys.batch(batch.flow, batch.interval.start),
        "flow": batch.flow,
        **interval_values(batch.interval),
        "token": batch.token,
        "datasets": list(batch.datasets),
        "program_version": batch.program_version,
        "outcomes": {name: outcome_values(outcome) for name, outcome in batch.outcomes.items()},
        "workers": {name: {**vars(worker), "lease_until": to_text(worker.lease_until)} for name, worker in batch.workers.items()},
        "pins": batch.pins,
        **{f"{MOVED}{name}": vars(moved) for name, moved in batch.moved.items()},
    }


def outcome_values(outcome: TableOutcome) -> dict[str, Any]:
    return {**vars(outcome), "status": outcome.status.value}


def worker(values: Mapping[str, Any]) -> Worker:
    return Worker(values["token"], values["owner"], from_text(values["lease_until"]))


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
