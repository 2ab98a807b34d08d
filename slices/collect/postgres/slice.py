"""Declares the slice that collects from PostgreSQL."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

# Metrics: how much log a source keeps for the captured table that holds it back most; how much of what max_log_gb allows it keeps.
RETAINED_LOG, RETAINED_SHARE = "RetainedLogBytes", "RetainedLogPercent"

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
        captures=True,
        capture_leaves="captured no more, and its source keeps log for its replication slot until somebody drops it: "
        "SELECT slot_name, pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'atoll_…'",
        never_captured="what is changed while the publication does not have the table",
        never_seen="a row whose cursor was set in the past: to a moment that earlier batches have already read up to. Five minutes "
        "are allowed for from then to its transaction's first write; the connection's `lag` allows for more",
        never_appended="a later row with the same number as the last one that was read, where the cursor is a number",
        cursor_types=("smallint", "integer", "bigint", "numeric", "real", "double", "oid", "xid8", "pg_lsn", "date", "timestamp"),
        rising_types=("text", "character", "varchar", "uuid"),
        never_rising="a row whose rising cursor was made before that of a row which was read already, and was committed after it: "
        "by another machine's clock, or in a transaction that began later",
        resumable=True,
        rejects_rows=True,
        part_mb=256,  # of table: less is not worth a connection more
    ),
    config="slices.collect.postgres.config:Config",
    sizes="slices.collect.postgres.sizes:too_much",
    secret="systems.postgres.address:read_address",
    systems=("postgres", "sql_source"),
    tasks=("extract",),
    steps=("plan", "extract", "commit", "discover"),
)
