"""Declares the slice that collects from Oracle."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="oracle",
    title="Oracle",
    capabilities=Capabilities(
        dialect="oracle",
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        default_mode=Mode.REPLACE,
        queries="projection",
        reports_deletes=False,
        reports_left=True,
        never_seen="a row that is committed later after its cursor's moment than the connection's `lag` (5 minutes), unless its "
        "transaction was open all the time and the secret's user may read GV$TRANSACTION; or one whose cursor was set further in the "
        "past, or that a standby applies later than that",
        never_appended="a later row with the same value as the last one that was read, where the cursor is no time",
        cursor_types=("number", "integer", "float", "date", "timestamp"),
        resumable=True,
        rejects_rows=True,
        part_mb=256,  # of table: less is not worth a connection more
    ),
    config="slices.collect.oracle.config:Config",
    sizes="slices.collect.oracle.sizes:too_much",
    secret="slices.collect.oracle.address:read_address",
    systems=("sql_source",),
    tasks=("extract",),
    steps=("plan", "extract", "commit", "discover"),
)
