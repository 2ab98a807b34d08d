"""Says what a topic tells of its events, beside what they say; no I/O."""

from __future__ import annotations

from dataclasses import replace

from shared_metadata.program.schema import SchemaColumn
from systems.events.columns import Told

TIMESTAMP = SchemaColumn("_timestamp", "timestamptz", True, "_timestamp", "timestamp")
SEQUENCE = SchemaColumn("_sequence", "string", False, "_sequence", "timestamp, partition and offset")
PARTITION = SchemaColumn("_partition", "int", False, "_partition", "partition")
OFFSET = SchemaColumn("_offset", "long", False, "_offset", "offset")
KEY = SchemaColumn("_key", "string", True, "_key", "key")
HEADERS = SchemaColumn("_headers", "string", True, "_headers", "headers")
_TOLD = Told(
    lines={"t": "BIGINT", "n": "VARCHAR", "p": "INTEGER", "o": "BIGINT", "k": "VARCHAR", "h": "VARCHAR", "g": "BOOLEAN"},
    columns=(TIMESTAMP, SEQUENCE, PARTITION, OFFSET, KEY, HEADERS),
    sql={
        TIMESTAMP.name: "epoch_ms(t) AT TIME ZONE 'UTC'",
        SEQUENCE.name: "n",
        PARTITION.name: "p",
        OFFSET.name: "o",
        KEY.name: "k",
        HEADERS.name: "h",
    },
    place="'partition ' || p || ', offset ' || o",
    deleted="coalesce(g, false)",
)


def told(key: str) -> Told:
    """key: what events' keys are; one that is a JSON object says columns of the event, which may be masked, and is none itself."""
    return _TOLD if key != "json" else replace(_TOLD, columns=tuple(column for column in _TOLD.columns if column != KEY))
