"""Declares the slice that collects events from Kafka; the compiler imports it, so it imports nothing heavy."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="kafka",
    title="Kafka",
    capabilities=Capabilities(
        dialect="filescan",
        modes=(Mode.APPEND, Mode.MERGE),
        default_mode=Mode.APPEND,
        queries="projection",
        default_cursor="_sequence",
        appends_by_cursor=False,
        reports_deletes=True,
        never_seen="what compaction takes before a batch comes: of each key it leaves the newest event",
        rejects_rows=True,
        resumable=True,
    ),
    config="slices.collect.kafka.config:Config",
    deployed_options=("cluster", "topics"),
    secret="slices.collect.kafka.config:read_secret",
    systems=("events",),
    steps=("plan", "extract", "commit", "discover"),
)
