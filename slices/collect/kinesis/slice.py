"""Declares the slice that collects events from Kinesis; the compiler imports it, so it imports nothing heavy."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="kinesis",
    title="Kinesis",
    capabilities=Capabilities(
        dialect="filescan",
        modes=(Mode.APPEND, Mode.MERGE),
        default_mode=Mode.APPEND,
        queries="projection",
        default_cursor="_sequence_number",
        appends_by_cursor=False,
        never_seen="that an event was meant to be taken back, unless an event says so: a stream only grows",
        rejects_rows=True,
        resumable=True,
    ),
    config="slices.collect.kinesis.config:Config",
    deployed_options=("streams", "kms_key"),
    systems=("events",),
    services=("kinesis",),
    endpoints=(("kinesis", "kinesis-streams"),),
    steps=("plan", "extract", "commit", "discover"),
)
