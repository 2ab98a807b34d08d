"""Where stacks find the VPC: the names of its SSM parameters. Without the CDK, which takes seconds to load."""

from __future__ import annotations

from shared_metadata import naming

ZONES = 2
VPC_ID = naming.parameter("network", "vpc-id")
SECURITY_GROUP = naming.parameter("network", "security-group")


def subnet_parameter(number: int) -> str:
    return naming.parameter("network", f"subnet-{number}")
