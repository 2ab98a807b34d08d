"""The name of what the slice's stack makes, by which whoever administers Snowflake knows it."""

from __future__ import annotations

from shared_metadata import naming
from slices.organize.snowflake.slice import SLICE


def role(warehouse: str) -> str:
    """The role that the storage integration of a warehouse's stage takes; in its account with the region behind it."""
    return f"{naming.state_machine(SLICE.id)}-{warehouse}"
