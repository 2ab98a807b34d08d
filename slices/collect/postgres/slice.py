"""Declares the slice that collects from PostgreSQL."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="postgres",
    title="Postgres",
    capabilities=Capabilities(
        dialect="postgres",
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        default_mode=Mode.REPLACE,
        queries="full",
        reports_deletes=False,
        reports_left=True,
        never_seen="a row whose cursor was set in the past, or five minutes before its transaction first wrote (`lag` helps), nor in "
        "APPEND a later row that has the last number of a cursor that is no time",
        resumable=True,
        rejects_rows=True,
    ),
    config="slices.collect.postgres.config:Config",
    steps=("plan", "extract", "commit", "discover"),
)
