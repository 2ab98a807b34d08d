"""The role by which a warehouse's service reads and writes files: its name, and whom it may trust under which external ID."""

from __future__ import annotations

from shared_metadata import naming

PRINCIPAL = r"^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/[A-Za-z0-9_+=,.@/-]+$"
EXTERNAL_ID = r"^[A-Za-z0-9_+=,.@:/-]+$"


def role_name(slice_id: str, warehouse: str, region: str) -> str:
    """The name, with the region in it: roles are an account's, wherever it works."""
    return f"{naming.state_machine(slice_id)}-{warehouse}-{region}"
