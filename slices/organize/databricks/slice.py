"""Declares the slice that keeps a warehouse in Databricks."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="organize",
    system="databricks",
    title="Databricks",
    capabilities=Capabilities(
        dialect="databricks",
        maintains=True,
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        own_columns=("_view_batch",),
        never_written=("time", "uuid"),  # https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-datatypes
        never_because=(("time", "there is no TIME"), ("uuid", "there is no UUID")),
        plain_keys=True,  # maps are not compared: https://docs.databricks.com/aws/en/sql/language-manual/data-types/map-type
        longest_name=255,  # https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-names
        # https://docs.databricks.com/aws/en/delta/type-widening
        widens=(("int", "long"), ("float", "double"), ("decimal", "decimal")),
        at_once=10,  # queries of a cluster: https://docs.databricks.com/aws/en/compute/sql-warehouse/warehouse-behavior
        time_travel=False,
    ),
    config="slices.organize.databricks.config:Config",
    engine="databricks",
    secret="slices.organize.databricks.config:check_key",
    deployed_options=("secret", "storage_principal_arn", "storage_external_id"),
    systems=("sql_warehouse",),
    waits=("load", "refresh", "check", "commit"),
    steps=("plan", "load", "refresh", "check", "commit", "landed", "maintain"),
)
