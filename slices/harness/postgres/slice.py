"""Declares the slice that publishes to PostgreSQL."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="harness",
    system="postgres",
    title="Postgres",
    capabilities=Capabilities(
        dialect="postgres",
        modes=(Mode.MERGE, Mode.REPLACE, Mode.APPEND),
        resumable=True,
        rejects_rows=True,
        longest_name=63,  # https://www.postgresql.org/docs/current/limits.html: longer ones are cut off without an error
    ),
    config="slices.harness.postgres.config:Config",
    secret="systems.postgres.address:read_address",
    fits="slices.harness.postgres.fitting:fits",
    previews="slices.harness.postgres.preview:preview",
    systems=("postgres", "sql_target"),
    steps=("plan", "diff", "publish", "commit", "discover", "landed"),
)
