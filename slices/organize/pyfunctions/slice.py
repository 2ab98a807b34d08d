"""Declares the slice that runs functions in Python over a lake, and computes the views that call them."""

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

SLICE = Slice(
    stage="organize",
    system="pyfunctions",
    title="Python",
    capabilities=Capabilities(
        dialect="duckdb",
        modes=(Mode.REPLACE, Mode.APPEND, Mode.MERGE),
        maintains=True,
        own_columns=("_view_batch",),
        longest_name=255,  # https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
    ),
    config="slices.organize.pyfunctions.config:Config",
    check="slices.organize.pyfunctions.project:check",
    sizes="systems.iceberg.sizes:too_much",
    tries="slices.organize.pyfunctions.trial:tried",
    warehouse="iceberg",
    functions=("python",),
    code_of="slices.organize.pyfunctions.project:code_of",
    systems=("iceberg",),
    services=("glue", "lambda"),
    waits=("refresh",),
    steps=("plan", "refresh", "check", "commit", "landed", "maintain"),
)
