"""Declares the slice that keeps a warehouse in Snowflake."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

_VARIANT = "it comes through a VARIANT, in which COPY INTO is not documented to keep dates, moments and bytes as they are"

SLICE = Slice(
    stage="organize",
    system="snowflake",
    title="Snowflake",
    capabilities=Capabilities(
        dialect="snowflake",
        maintains=True,
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        own_columns=("_view_batch",),
        # Of a TIME in Parquet, and of what is nested, its documentation does not say that COPY loads it without loss; a column of a
        # structured type has its types, but what is loaded into it comes through a VARIANT.
        # https://docs.snowflake.com/en/sql-reference/data-types-semistructured, …/data-types-structured
        never_written=("time", "uuid", "list", "map", "struct"),
        never_because=(
            ("time", "it is not documented that COPY INTO reads a TIME from Parquet"),
            ("uuid", "there is no UUID"),
            *((kind, _VARIANT) for kind in ("list", "map", "struct")),
        ),
        longest_name=255,  # https://docs.snowflake.com/en/sql-reference/identifiers-syntax
        # https://docs.snowflake.com/en/sql-reference/sql/alter-table-column: of numbers more digits
        widens=(("int", "long"), ("float", "double"), ("decimal", "decimal")),
        at_once=8,  # MAX_CONCURRENCY_LEVEL of a warehouse: https://docs.snowflake.com/en/sql-reference/parameters#max-concurrency-level
        time_travel=False,
    ),
    config="slices.organize.snowflake.config:Config",
    engine="snowflake",
    secret="slices.organize.snowflake.api:check_key",
    deployed_options=("secret", "storage_user_arn", "storage_external_id"),
    systems=("sql_warehouse",),
    waits=("load", "refresh", "check", "commit"),
    steps=("plan", "load", "refresh", "check", "commit", "landed", "maintain"),
)
