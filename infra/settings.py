"""What may be set from outside when the stacks are made: `cdk … -c name=value`, and a variable that the embedded AWS sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DEPENDENCIES = "ATOLL_DEPENDENCIES"


@dataclass(frozen=True)
class Settings:
    """The context values, checked.

    host_dependencies: bundles hold code only, because the functions run where the packages are (the embedded AWS).
    own_vpc: make a VPC with endpoints and without NAT.  vpc_id, subnet_ids: or use this one, whose endpoints are its owner's.
    log_days: how long logs are kept; one of CloudWatch's retention periods.
    """

    host_dependencies: bool = False
    own_vpc: bool = False
    vpc_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    log_days: int = 30

    @staticmethod
    def of_context(get: Callable[[str], Any], environment: Mapping[str, str] = os.environ) -> Settings:
        """From the app's context and the process's environment; raises ValueError that names the value and what is accepted."""
        dependencies = environment.get(DEPENDENCIES) or "bundled"
        if dependencies not in ("bundled", "host"):
            raise ValueError(f"{DEPENDENCIES}={dependencies}: accepted are bundled and host")
        vpc_id, subnets = get("vpcId") or "", tuple(filter(None, (get("subnetIds") or "").split(",")))
        if bool(vpc_id) != bool(subnets):
            raise ValueError("-c vpcId=… and -c subnetIds=subnet-…,subnet-… belong together")
        own = str(get("vpc") or "false").lower() == "true"
        if own and vpc_id:
            raise ValueError("-c vpc=true makes a VPC and -c vpcId=… names one: give one of the two")
        return Settings(dependencies == "host", own, vpc_id, subnets, int(get("logDays") or 30))
