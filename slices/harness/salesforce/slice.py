"""Declares the slice that publishes to objects of Salesforce."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="harness",
    system="salesforce",
    title="Salesforce",
    capabilities=Capabilities(
        dialect="duckdb",
        modes=(Mode.MERGE, Mode.APPEND),
        resumable=True,
        rejects_rows=True,
        transactional=False,
        finds_keys=True,
        takes_back=False,
    ),
    config="slices.harness.salesforce.config:Config",
    secret="systems.salesforce.credentials:read_credentials",
    check="slices.harness.salesforce.logic:check_flow",
    fits="slices.harness.salesforce.fitting:fits",
    previews="slices.harness.salesforce.preview:preview",
    sizes="slices.harness.salesforce.sizes:too_much",
    systems=("application_target", "salesforce"),
    steps=("plan", "diff", "publish", "commit", "discover", "landed"),
)
