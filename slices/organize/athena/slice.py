"""Declares the slice in which Athena computes the views of a lake."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="organize",
    system="athena",
    title="Athena",
    capabilities=Capabilities(
        dialect="trino",
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        maintains=True,
        own_columns=("_view_batch",),
        never_written=("time", "uuid"),  # https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-supported-data-types.html
        never_because=(("time", "an Iceberg table of Athena's has no TIME"), ("uuid", "an Iceberg table of Athena's has no UUID")),
        plain_names=True,  # Iceberg's writers spell others otherwise in files, where their readers go by field ids
        longest_name=255,  # https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
    ),
    config="slices.organize.athena.config:Config",
    engine="athena",
    takes_over=1,
    warehouse="iceberg",
    deployed_options=("scan_limit_gb",),
    sizes="systems.iceberg.sizes:too_much",
    systems=("iceberg",),
    services=("glue", "athena"),
    waits=("refresh", "check"),
    steps=("plan", "refresh", "check", "commit", "landed", "maintain"),
)
