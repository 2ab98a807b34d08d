"""Says what is told of an event beside what it says, and how arrivals stand in keys of objects; no I/O."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.http.declared import Declared
from systems.events.columns import JSON, Told

ARRIVED = SchemaColumn("_arrived_at", "timestamptz", False, "_arrived_at", "the endpoint's clock")
SEQUENCE = SchemaColumn("_sequence", "string", False, "_sequence", "the request's object, and the event's place in it")
MESSAGE = SchemaColumn("_message_id", "string", False, "_message_id", "the sender's name of the request, and the event's place in it")
SENDER = SchemaColumn("_sender", "string", False, "_sender", "whose key has signed")
TOLD = Told(
    lines={"t": "BIGINT", "n": "VARCHAR", "m": "VARCHAR", "s": "VARCHAR"},
    columns=(ARRIVED, SEQUENCE, MESSAGE, SENDER),
    sql={
        ARRIVED.name: "make_timestamp(t) AT TIME ZONE 'UTC'",
        SEQUENCE.name: "n",
        MESSAGE.name: "m",
        SENDER.name: "s",
    },
    place="'event ' || n",
)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{6})Z")
FEWEST_OF_A_PART, MOST_PARTS = 2_000, 40


def route(connection: str, table: str) -> str:
    """The path that events of a table are sent to."""
    return f"/{connection}/{table}"


def stamp(moment: datetime) -> str:
    """A moment as it stands in keys, which sort by it."""
    at = moment.astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%S}.{at.microsecond:06d}Z"


def arrived(name: str) -> int:
    """The microseconds since 1970 of an object's name, which begins with a moment."""
    found = _STAMP.match(name)
    if not found:
        raise ValueError(f"{name} is no name of an arrival")
    year, month, day, hour, minute, second, micros = map(int, found.groups())
    whole = datetime(year, month, day, hour, minute, second, micros, UTC) - _1970
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds


def of_declared(columns: Sequence[Declared]) -> Schema:
    """The columns of a table that declares them, whatever was sent."""
    own = {column.name for column in TOLD.columns}
    found = [SchemaColumn(c.key.lower(), c.type, not c.required, c.key, JSON) for c in columns if c.key.lower() not in own]
    return Schema((*found, *TOLD.columns))


def in_parts(names: Sequence[str]) -> list[list[str]]:
    """Names of objects as they are handed out, in their order."""
    size = max(FEWEST_OF_A_PART, -(-len(names) // MOST_PARTS))
    return [list(names[at : at + size]) for at in range(0, len(names), size)]


def digest(names: Sequence[str]) -> dict[str, Any]:
    """What tells whether the same objects are there again."""
    return {"count": len(names), "digest": hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]}
