"""Decides what columns a table has: an event's keys, or its text, and what the stream tells of it; no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.projection import place_of, projected
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn

ARRIVED = SchemaColumn("_arrived_at", "timestamptz", False, "_arrived_at", "ApproximateArrivalTimestamp")
SEQUENCE = SchemaColumn("_sequence_number", "string", False, "_sequence_number", "SequenceNumber")
SHARD = SchemaColumn("_shard_id", "string", False, "_shard_id", "ShardId")
KEY = SchemaColumn("_partition_key", "string", False, "_partition_key", "PartitionKey")
OWN = (ARRIVED, SEQUENCE, SHARD, KEY)
DATA = SchemaColumn("data", "string", False, "data", "text")
TEXTS = Schema((DATA, *OWN))
JSON = "json"  # the type of a column that is a key of events


def described(types: Mapping[str, str], known: Schema | None) -> Schema:
    """The columns of events with these keys, key ▸ type by a sample.

    known: what the program knows. Its types stay, as another sample is no other type, and its columns, as events may lack some.
    """
    own = {column.name for column in OWN}
    found = {column.name: column for column in known.columns if column.source_type == JSON} if known else {}
    for key, kind in types.items():
        found.setdefault(key.lower(), SchemaColumn(key.lower(), kind, True, key, JSON))
    return Schema((*(column for name, column in found.items() if name not in own), *OWN))


def collected(flow: Flow, table: Table, known: Schema) -> Schema:
    """The columns that a flow collects, and `_batch`. Raises DefinitionError for one that is not there.

    Of a key that no event of the sample had, what the program casts it to is its type.
    """
    sources = {column.source.lower(): column for column in known.columns}

    def find(name: str, source: str) -> SchemaColumn:
        found = sources.get(source.lower())
        if found is None and DATA.name not in sources and name in flow.casts:
            found = SchemaColumn(name, flow.casts[name], True, source, JSON)
        if found is None:
            cause = f"the events of {table.source} have no column {source}"
            raise DefinitionError(cause, place=place_of(flow, table), remedy="change the program")
        return found

    return projected(flow, table, known, find)
