"""Declares the slice that keeps a warehouse of Iceberg tables."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="organize",
    system="iceberg",
    title="Iceberg",
    capabilities=Capabilities(
        dialect="duckdb",
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        maintains=True,
        own_columns=("_view_batch",),
        longest_name=255,  # https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
    ),
    config="slices.organize.iceberg.config:Config",
    sizes="systems.iceberg.sizes:too_much",
    tries="systems.iceberg.trial:tried",
    engine="duckdb",
    systems=("iceberg",),
    services=("glue",),
    tasks=("load", "refresh", "check", "commit"),
    steps=("plan", "load", "refresh", "check", "commit", "landed", "maintain"),
)
