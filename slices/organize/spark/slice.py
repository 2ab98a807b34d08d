"""Declares the slice in which Spark computes the views of a lake."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="organize",
    system="spark",
    title="Spark",
    capabilities=Capabilities(
        dialect="spark",
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        maintains=True,
        own_columns=("_view_batch",),
        never_written=("time", "uuid"),  # https://iceberg.apache.org/docs/1.10.0/spark-getting-started/#spark-type-to-iceberg-type
        never_because=(("time", "there is no TIME"), ("uuid", "there is no UUID")),
        plain_names=True,  # Iceberg's writers spell others otherwise in files, where their readers go by field ids
        longest_name=255,  # https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
    ),
    config="slices.organize.spark.config:Config",
    engine="spark",
    takes_over=2,
    warehouse="iceberg",
    deployed_options=("spark_vcpus",),
    sizes="systems.iceberg.sizes:too_much",
    systems=("iceberg",),
    services=("glue", "emr-serverless"),
    waits=("refresh", "check"),
    steps=("plan", "refresh", "check", "commit", "landed", "maintain"),
)
