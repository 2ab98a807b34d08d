"""Says what a stream tells of its events, beside what they say; no I/O."""

from __future__ import annotations

from shared_metadata.program.schema import SchemaColumn
from systems.events.columns import Told

ARRIVED = SchemaColumn("_arrived_at", "timestamptz", False, "_arrived_at", "ApproximateArrivalTimestamp")
SEQUENCE = SchemaColumn("_sequence_number", "string", False, "_sequence_number", "SequenceNumber")
SHARD = SchemaColumn("_shard_id", "string", False, "_shard_id", "ShardId")
KEY = SchemaColumn("_partition_key", "string", False, "_partition_key", "PartitionKey")
TOLD = Told(
    lines={"k": "VARCHAR", "n": "VARCHAR", "s": "VARCHAR", "t": "BIGINT"},
    columns=(ARRIVED, SEQUENCE, SHARD, KEY),
    sql={ARRIVED.name: "epoch_ms(t) AT TIME ZONE 'UTC'", SEQUENCE.name: "n", SHARD.name: "s", KEY.name: "k"},
    place="s || ', event ' || n",
)
