"""The workgroup of a warehouse, which the slice's stack makes."""

from __future__ import annotations

from shared_metadata import naming
from slices.organize.athena.slice import SLICE

RESULTS = f"{naming.staging_prefix(SLICE.id)}results/"  # counts, never rows


def workgroup(warehouse: str) -> str:
    return f"{naming.state_machine(SLICE.id)}-{warehouse}"
