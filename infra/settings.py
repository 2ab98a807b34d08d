"""What may be set from outside when the stacks are made: `cdk … -c name=value`, and a variable that the embedded AWS sets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.concurrency import Ceilings

DEPENDENCIES = "ATOLL_DEPENDENCIES"
# The names of the context values; docs/deploying.md has a line for each.
OPTIONS = (
    "program",
    "prefix",
    "vpc",
    "vpcCidr",
    "vpcId",
    "subnetIds",
    "logDays",
    "keyArn",
    "keepData",
    "permissionsBoundary",
    "tags",
    "concurrency",
    "concurrencyOf",
    "running",
)
DEFAULT_CIDR = "10.0.0.0/16"
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,59}")  # a stack's name has 128 characters at most
CIDR = re.compile(r"\d+\.\d+\.\d+\.\d+/(1[6-9])")  # two subnets of /20 must fit


@dataclass(frozen=True)
class Settings:
    """The context values, checked.

    host_dependencies: bundles hold code only, because the functions run where the packages are (the embedded AWS).
    prefix: what the stacks' names in CloudFormation begin with; '' for nothing.
    own_vpc: make a VPC with endpoints and without NAT, of the addresses `vpc_cidr`.
    vpc_id, subnet_ids: or use this one, whose endpoints are its owner's.
    log_days: how long logs are kept; one of CloudWatch's retention periods.
    key_arn: an existing key instead of one of Atoll's own.  keep_data: what holds data outlives its stack.
    permissions_boundary: the ARN, or the name, of the policy that bounds every role.  tags: on every resource.
    ceilings: how many functions may run at once.  running: how many batches the conductor lets run at once; 0
    for as many as it does by itself.
    """

    host_dependencies: bool = False
    prefix: str = "Atoll"
    own_vpc: bool = False
    vpc_cidr: str = DEFAULT_CIDR
    vpc_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    log_days: int = 30
    key_arn: str = ""
    keep_data: bool = True
    permissions_boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    ceilings: Ceilings = field(default_factory=Ceilings)
    running: int = 0

    def stack_name(self, id: str) -> str:
        """'Conductor' ▸ 'Atoll-Conductor'. CloudFormation knows a stack by this name alone, whoever made it."""
        return f"{self.prefix}-{id}" if self.prefix else id

    @staticmethod
    def of_context(get: Callable[[str], Any], environment: Mapping[str, str] = os.environ) -> Settings:
        """From the app's context and the process's environment; raises ValueError that names the value and what is accepted."""
        dependencies = environment.get(DEPENDENCIES) or "bundled"
        if dependencies not in ("bundled", "host"):
            raise ValueError(f"{DEPENDENCIES}={dependencies}: accepted are bundled and host")
        vpc_id, subnets = get("vpcId") or "", tuple(filter(None, (get("subnetIds") or "").split(",")))
        if bool(vpc_id) != bool(subnets):
            raise ValueError("-c vpcId=… and -c subnetIds=subnet-…,subnet-… belong together")
        own = _switch(get, "vpc", default=False)
        if own and vpc_id:
            raise ValueError("-c vpc=true makes a VPC and -c vpcId=… names one: give one of the two")
        return Settings(
            dependencies == "host",
            _text(get, "prefix", PREFIX, "Atoll", "a letter, then letters, digits and hyphens, 60 at most"),
            own,
            _text(get, "vpcCidr", CIDR, DEFAULT_CIDR, "a network of /16 to /19 as in 10.20.0.0/16"),
            vpc_id,
            subnets,
            _number(get, "logDays", 30),
            str(get("keyArn") or ""),
            _switch(get, "keepData", default=True),
            str(get("permissionsBoundary") or ""),
            _pairs(get, "tags"),
            Ceilings(_number(get, "concurrency", 0), _numbers(get, "concurrencyOf")),
            _number(get, "running", 0),
        )


def _switch(get: Callable[[str], Any], name: str, *, default: bool) -> bool:
    given = str(default if get(name) is None else get(name)).lower()
    if given not in ("true", "false"):
        raise ValueError(f"-c {name}={given}: accepted are true and false")
    return given == "true"


def _text(get: Callable[[str], Any], name: str, pattern: re.Pattern[str], default: str, accepted: str) -> str:
    given = get(name)
    if given and not pattern.fullmatch(str(given)):
        raise ValueError(f"-c {name}={given}: accepted is {accepted}")
    return default if given is None else str(given)


def _number(get: Callable[[str], Any], name: str, default: int) -> int:
    return _whole(name, str(get(name))) if get(name) else default


def _whole(name: str, given: str) -> int:
    if not given.isdecimal():
        raise ValueError(f"-c {name}={given}: accepted is a whole number")
    return int(given)


def _pairs(get: Callable[[str], Any], name: str) -> dict[str, str]:
    """'a=b,c=d' ▸ {'a': 'b', 'c': 'd'}."""
    given = [part.partition("=") for part in str(get(name) or "").split(",") if part]
    if wrong := next((key for key, equals, _ in given if not key or not equals), None):
        raise ValueError(f"-c {name}={wrong}: accepted is name=value,name=value")
    return {key.strip(): value.strip() for key, _, value in given}


def _numbers(get: Callable[[str], Any], name: str) -> dict[str, int]:
    return {key: _whole(name, value) for key, value in _pairs(get, name).items()}
