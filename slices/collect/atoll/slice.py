"""Declares the slice that collects Atoll's own records; the compiler imports it, so it imports nothing heavy."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode
from shared_metadata.store import access

SLICE = Slice(
    stage="collect",
    system="atoll",
    title="Atoll",
    capabilities=Capabilities(
        dialect="filescan",
        modes=(Mode.APPEND,),
        default_mode=Mode.APPEND,
        queries="projection",
        default_cursor="completed_at",
        cursor_types=("completion",),
        never_seen="what was recorded of a batch that was run again before its first run was collected",
        resumable=True,
    ),
    config="slices.collect.atoll.config:Config",
    reads=(
        ("plan", (access.EVENTS,)),
        ("extract", (access.TIMELINE, access.FLOWS, access.EVENTS, access.STATISTICS)),
    ),
    steps=("plan", "extract", "commit", "discover"),
)
