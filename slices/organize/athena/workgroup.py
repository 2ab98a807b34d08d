"""The workgroup of a warehouse, which the slice's stack makes."""

from __future__ import annotations

from shared_metadata import naming
from slices.organize.athena.slice import SLICE

ANSWERS = naming.answers_prefix(SLICE.id)
# Of the account's own, which Athena asks for whatever a statement reads:
# https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
DEFAULT_DATABASE = "default"


def workgroup(warehouse: str) -> str:
    return f"{naming.state_machine(SLICE.id)}-{warehouse}"
