"""Declares the slice that collects events sent by HTTP; the compiler imports it, so it imports nothing heavy."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="http",
    title="Http",
    capabilities=Capabilities(
        dialect="filescan",
        modes=(Mode.APPEND, Mode.MERGE),
        default_mode=Mode.APPEND,
        queries="projection",
        default_cursor="_sequence",
        appends_by_cursor=False,
        never_seen="that an event was meant to be taken back, unless an event says so",
        rejects_rows=True,
        resumable=True,
    ),
    config="slices.collect.http.config:Config",
    deployed_options=("tables", "signature", "format", "most_kb", "requests_a_second", "tolerance_seconds"),
    secret="slices.collect.http.signatures:read_secret",
    secret_for="receive",
    systems=("events", "standard_webhooks"),
    steps=("plan", "extract", "commit", "discover", "receive"),
)
