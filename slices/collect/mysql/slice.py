"""Declares the slice that collects from MySQL and MariaDB."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="mysql",
    title="Mysql",
    capabilities=Capabilities(
        dialect="mysql",
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        default_mode=Mode.REPLACE,
        queries="projection",
        reports_deletes=False,
        reports_left=True,
        captures=True,
        never_captured="what a session writes without logging it (sql_log_bin = 0), or by a trigger of what another database logs "
        "as a statement",
        never_seen="a row that is committed later after its cursor's moment than the connection's `lag` (5 minutes), unless its "
        "transaction was open all the time and the secret's user has the right PROCESS, or it was late in coming to a replica whose "
        "delay that user may ask for (REPLICATION CLIENT); or one whose cursor was set further in the past",
        never_appended="a later row with the same value as the last one that was read, where the cursor is no time",
        cursor_types=(
            *("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "date", "datetime", "timestamp"),
        ),
        resumable=True,
        rejects_rows=True,
        part_mb=256,  # of table: less is not worth a connection more
    ),
    config="slices.collect.mysql.config:Config",
    sizes="slices.collect.mysql.sizes:too_much",
    secret="systems.mysql.address:read_address",
    systems=("mysql", "sql_source"),
    tasks=("extract",),
    steps=("plan", "extract", "commit", "discover"),
)
