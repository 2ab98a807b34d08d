"""Declares the slice that sends rows to applications by HTTP."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="harness",
    system="webhook",
    title="Webhook",
    capabilities=Capabilities(
        dialect="duckdb", modes=(Mode.MERGE, Mode.APPEND), resumable=True, rejects_rows=True, transactional=False
    ),
    config="slices.harness.webhook.config:Config",
    secret="slices.harness.webhook.receiver:read_receiver",
    previews="slices.harness.webhook.preview:preview",
    systems=("application_target", "standard_webhooks"),
    steps=("plan", "diff", "publish", "commit", "landed"),
)
