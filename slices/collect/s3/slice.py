"""Declares the slice that collects files from S3; the compiler imports it, so it imports nothing heavy."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="s3",
    title="S3",
    capabilities=Capabilities(
        dialect="filescan",
        modes=(Mode.APPEND, Mode.REPLACE, Mode.MERGE),
        default_mode=Mode.APPEND,
        queries="projection",
        default_cursor="_modified",
        appends_by_cursor=False,
        never_seen="that an object was deleted, or was replaced by one without a row that it had (REPLACE reads all)",
        rejects_rows=True,
        resumable=True,
    ),
    config="slices.collect.s3.config:Config",
    deployed_options=("bucket", "prefix", "kms_key"),
    steps=("plan", "extract", "commit", "discover"),
)
