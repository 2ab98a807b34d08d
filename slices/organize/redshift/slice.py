"""Declares the slice that keeps a warehouse in Amazon Redshift."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

_SUPER = "its SUPER keeps no date, moment or bytes within a value, and gives NULL for what it cannot cast"

SLICE = Slice(
    stage="organize",
    system="redshift",
    title="Redshift",
    capabilities=Capabilities(
        dialect="redshift",
        maintains=True,
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        # The latter every table has, as in PostgreSQL: https://www.postgresql.org/docs/8.1/ddl-system-columns.html
        own_columns=("_view_batch", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_TABLE.html, …/r_SUPER_type.html, …/limitations-super.html
        never_written=("time", "uuid", "list", "map", "struct"),
        never_because=(
            ("time", "COPY reads no TIME from Parquet"),
            ("uuid", "there is no UUID"),
            *((kind, _SUPER) for kind in ("list", "map", "struct")),
        ),
        longest_name=127,  # https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
        # A column is made anew by a CAST: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
        widens=(("int", "long"), ("float", "double"), ("decimal", "decimal")),
        at_once=5,  # A queue of its own has five places by itself: https://docs.aws.amazon.com/redshift/latest/dg/cm-c-defining-query-queues.html
        time_travel=False,
    ),
    config="slices.organize.redshift.config:Config",
    engine="redshift",
    secret="slices.organize.redshift.config:check_user",
    deployed_options=("workgroup", "workgroup_id", "cluster_identifier", "database", "db_user", "secret", "managed", "base_rpus"),
    systems=("sql_warehouse",),
    services=("redshift-data",),
    waits=("load", "refresh", "check", "commit"),
    steps=("plan", "load", "refresh", "check", "commit", "landed", "maintain"),
)
