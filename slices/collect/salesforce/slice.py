"""Declares the slice that collects from Salesforce."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="collect",
    system="salesforce",
    title="Salesforce",
    capabilities=Capabilities(
        dialect="soql",
        modes=(Mode.MERGE, Mode.APPEND, Mode.REPLACE),
        default_mode=Mode.MERGE,
        default_key=("id",),
        default_cursor="systemmodstamp",
        queries="projection",
        reports_deletes=True,
        reports_left=True,
        never_seen="a record that becomes visible later after its cursor's moment than the connection's `lag` (10 minutes), a "
        "formula's new value before its record changes, or, where the key is not Id, a record that is deleted past the recycle bin "
        "(REPLACE reads all)",
        rejects_rows=True,
        part_mb=128,  # of the source's text in one Parquet file
        never_masked=("id", "isdeleted"),
    ),
    config="slices.collect.salesforce.config:Config",
    check="slices.collect.salesforce.logic:check_flow",
    systems=("salesforce",),
    steps=("plan", "extract", "commit", "discover"),
)
