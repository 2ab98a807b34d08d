"""Declares the slice that publishes to DynamoDB."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="harness",
    system="dynamodb",
    title="DynamoDB",
    capabilities=Capabilities(
        dialect="duckdb",
        modes=(Mode.MERGE,),
        default_mode=Mode.MERGE,
        resumable=True,
        rejects_rows=True,
        transactional=False,
        knows_keys=True,
        open_columns=True,
        own_columns=("_atoll",),
    ),
    config="slices.harness.dynamodb.config:Config",
    deployed_options=("tables", "prefix", "region", "role"),
    check="slices.harness.dynamodb.logic:check_flow",
    fits="slices.harness.dynamodb.logic:fits",
    previews="slices.harness.dynamodb.preview:preview",
    systems=("application_target",),
    services=("sts",),
    steps=("plan", "diff", "publish", "commit", "discover", "landed"),
)
