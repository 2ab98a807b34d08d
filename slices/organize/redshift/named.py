"""The names of what the slice's stack makes, which its functions and whoever administers Redshift know it by."""

from __future__ import annotations

from shared_metadata import naming
from slices.organize.redshift.config import Config
from slices.organize.redshift.slice import SLICE

ADMIN = "atoll"  # who owns the tables of a managed namespace
ROLE_VARIABLE = "ATOLL_REDSHIFT_ROLE"  # of the functions: the ARN of the role by which Redshift reads and writes S3


def workgroup(warehouse: str, config: Config) -> str:
    """The workgroup of a warehouse; '' of a cluster."""
    return f"{naming.state_machine(SLICE.id)}-{warehouse}" if config.managed else config.workgroup


def secret(warehouse: str, config: Config) -> str:
    """The name of the secret with which its functions sign in; '' for none. That of a managed one is Redshift's own.

    https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-secrets-manager-integration.html
    """
    if config.managed:
        return f"redshift!{workgroup(warehouse, config)}-{ADMIN}"
    return naming.secret(config.secret) if config.secret else ""


def role() -> str:
    """The role that COPY and UNLOAD are told; its region follows."""
    return f"{naming.state_machine(SLICE.id)}-s3"
