"""The name of what the slice's stack makes, by which whoever administers Databricks knows it."""

from __future__ import annotations

from shared_metadata import naming
from slices.organize.databricks.slice import SLICE


def role(warehouse: str) -> str:
    """The role that the storage credential of a warehouse takes; in its account with the region behind it."""
    return f"{naming.state_machine(SLICE.id)}-{warehouse}"
