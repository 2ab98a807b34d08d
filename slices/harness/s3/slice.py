"""Declares the slice that publishes files to S3."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="harness",
    system="s3",
    title="S3",
    capabilities=Capabilities(dialect="duckdb", modes=(Mode.REPLACE, Mode.APPEND), resumable=True),
    config="slices.harness.s3.config:Config",
    deployed_options=("bucket", "prefix", "kms_key"),
    check="slices.harness.s3.logic:check_flow",
    steps=("plan", "diff", "publish", "commit", "landed"),
)
