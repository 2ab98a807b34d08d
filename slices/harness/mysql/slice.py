"""Declares the slice that publishes to MySQL and MariaDB."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="harness",
    system="mysql",
    title="Mysql",
    capabilities=Capabilities(
        dialect="mysql",
        modes=(Mode.MERGE, Mode.REPLACE, Mode.APPEND),
        resumable=True,
        rejects_rows=True,
        longest_name=64,  # characters, whose bytes are counted here: https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html
    ),
    config="slices.harness.mysql.config:Config",
    secret="systems.mysql.address:read_address",
    fits="slices.harness.mysql.column_types:fits",
    previews="slices.harness.mysql.preview:preview",
    systems=("mysql", "sql_target"),
    steps=("plan", "diff", "publish", "commit", "discover", "landed"),
)
