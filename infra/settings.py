"""What may be set from outside when the stacks are made: `cdk … -c name=value`, and a variable that the embedded AWS sets."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infra.concurrency import Ceilings
from infra.sizes import MEMORY_MB, PART_MB, TMP_MB, Sizes
from shared_metadata.contract import made_for
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program

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
    "memoryOf",
    "tmpOf",
    "partOf",
    "running",
    "taskImage",
)
DEFAULT_CIDR = "10.0.0.0/16"
# Of the periods that CloudWatch knows, as the CDK calls them.
LOG_DAYS = {1: "ONE_DAY", 3: "THREE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH", 90: "THREE_MONTHS", 365: "ONE_YEAR"}
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,59}")  # a stack's name has 128 characters at most
CIDR_LENGTHS = range(16, 20)  # two subnets of /20 must fit
VPC, SUBNET = re.compile(r"vpc-[0-9a-z]+"), re.compile(r"subnet-[0-9a-z]+")
KEY_ARN = re.compile(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+")
POLICY = re.compile(r"arn:[\w-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]+|[\w+=,.@-]{1,128}")
# An image is named by what it holds: what a task runs does not change when a tag moves.
IMAGE = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)+(:[\w.-]+)?@sha256:[0-9a-f]{64}")
IMAGE_ACCEPTED = "an image of Lambda's Python 3.13 for arm64 by its digest, as in public.ecr.aws/lambda/python@sha256:…"
ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[a-z0-9._/-]+)[:@]")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
TAG_NAME, TAG_VALUE = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}", re.IGNORECASE), re.compile(r"[\w .:/=+@-]{0,256}")


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
    ceilings: how many functions may run at once.  reserved: the same, shared out between the program's slices (`for_program`).
    running: how many batches the conductor lets run at once; 0 for as many as it does by itself.
    sizes: of functions, where they are not to be those of their slices' stacks.
    task_image: what tasks of Fargate run in, by its digest; '' where no program asks for tasks.
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
    sizes: Sizes = field(default_factory=Sizes)
    reserved: Mapping[str, int] = field(default_factory=dict)
    task_image: str = ""

    def for_program(self, program: Program, slices: Iterable[Slice]) -> Settings:
        """These settings with the ceilings shared out between a program's slices. Raises ValueError where they are too low."""
        counts = {one.id: len(one.steps) + len(made_for.functions(one, program)) for one in slices}
        return replace(self, reserved=self.ceilings.of(counts))

    def stack_name(self, id: str) -> str:
        """'Conductor' ▸ 'Atoll-Conductor'. CloudFormation knows a stack by this name alone, whoever made it."""
        return f"{self.prefix}-{id}" if self.prefix else id

    @staticmethod
    def of_context(get: Callable[[str], Any], environment: Mapping[str, str] = os.environ) -> Settings:
        """Reads the app's context and the process's environment; raises ValueError that names the value and what is accepted."""
        dependencies = environment.get(DEPENDENCIES) or "bundled"
        if dependencies not in ("bundled", "host"):
            raise ValueError(f"{DEPENDENCIES}={dependencies}: accepted are bundled and host")
        vpc_id = _text(get, "vpcId", VPC, "", "the id of a VPC as in vpc-0123abcd")
        subnets = tuple(filter(None, map(str.strip, _given(get, "subnetIds").split(","))))
        if wrong := next((subnet for subnet in subnets if not SUBNET.fullmatch(subnet)), None):
            raise ValueError(f"-c subnetIds={wrong}: accepted are ids of subnets, separated by commas, as in subnet-0123abcd")
        if bool(vpc_id) != bool(subnets):
            raise ValueError("-c vpcId=… and -c subnetIds=subnet-…,subnet-… belong together")
        own = _switch(get, "vpc", default=False)
        if own and vpc_id:
            raise ValueError("-c vpc=true makes a VPC and -c vpcId=… names one: give one of the two")
        return Settings(
            dependencies == "host",
            _text(get, "prefix", PREFIX, "Atoll", "a letter, then letters, digits and hyphens, 60 at most"),
            own,
            _network(get, "vpcCidr", DEFAULT_CIDR),
            vpc_id,
            subnets,
            _one_of(get, "logDays", LOG_DAYS, 30),
            _text(get, "keyArn", KEY_ARN, "", "a key's ARN, no alias: `aws kms describe-key --key-id … --query KeyMetadata.Arn`"),
            _switch(get, "keepData", default=True),
            _text(get, "permissionsBoundary", POLICY, "", "the ARN of a policy, or its name without a path"),
            _tags(get, "tags"),
            Ceilings(_number(get, "concurrency", 0), _numbers(get, "concurrencyOf")),
            _number(get, "running", 0),
            Sizes(_sizes(get, "memoryOf", MEMORY_MB), _sizes(get, "tmpOf", TMP_MB), _sizes(get, "partOf", PART_MB)),
            task_image=_text(get, "taskImage", IMAGE, "", IMAGE_ACCEPTED),
        )

    @property
    def task_repository(self) -> str:
        """The rest of its repository's ARN, '<region>:<account>:repository/<name>', where the image is in a private one of ECR's."""
        found = ECR.match(self.task_image)
        return f"{found['region']}:{found['account']}:repository/{found['name']}" if found else ""


def program_files(get: Callable[[str], Any]) -> str:
    """The program's files, separated by commas; '' where none are named. Raises ValueError."""
    return _given(get, "program")


def _given(get: Callable[[str], Any], name: str, default: str = "") -> str:
    """A value as text, whoever wrote it: a command line, or cdk.json, which has numbers, booleans and more."""
    value = default if get(name) is None else get(name)
    if not isinstance(value, str | bool | int | float):
        raise ValueError(f"-c {name}: accepted is one text, number or boolean; write several values as one text, with commas")
    return str(value).strip()


def _switch(get: Callable[[str], Any], name: str, *, default: bool) -> bool:
    given = _given(get, name, str(default)).lower()
    if given not in ("true", "false"):
        raise ValueError(f"-c {name}={given}: accepted are true and false")
    return given == "true"


def _text(get: Callable[[str], Any], name: str, pattern: re.Pattern[str], default: str, accepted: str) -> str:
    given = _given(get, name, default)
    if given and not pattern.fullmatch(given):
        raise ValueError(f"-c {name}={given}: accepted is {accepted}")
    return given


def _network(get: Callable[[str], Any], name: str, default: str) -> str:
    """Addresses that a VPC may have: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""
    given, accepted = _given(get, name) or default, "accepted is a network of /16 to /19 as in 10.20.0.0/16"
    try:
        found = ipaddress.IPv4Network(given, strict=False)
    except ValueError:
        raise ValueError(f"-c {name}={given}: {accepted}") from None
    first = found.network_address
    nobodys = first.is_multicast or first.is_loopback or first.is_link_local or first.is_reserved or first.is_unspecified
    if found.prefixlen not in CIDR_LENGTHS or nobodys:
        raise ValueError(f"-c {name}={given}: {accepted}")
    if str(found) != given:
        raise ValueError(f"-c {name}={given}: {accepted}; this address lies in {found}")
    return given


def _number(get: Callable[[str], Any], name: str, default: int) -> int:
    given = _given(get, name)
    return _whole(name, given) if given else default


def _one_of(get: Callable[[str], Any], name: str, accepted: Iterable[int], default: int) -> int:
    found = _number(get, name, default)
    if found not in accepted:
        raise ValueError(f"-c {name}={found}: accepted are {', '.join(map(str, accepted))}")
    return found


def _whole(name: str, given: str) -> int:
    if not re.fullmatch("[0-9]+", given):
        raise ValueError(f"-c {name}={given}: accepted is a whole number")
    return int(given)


def _pairs(get: Callable[[str], Any], name: str) -> dict[str, str]:
    """'a=b,c=d' ▸ {'a': 'b', 'c': 'd'}."""
    given = [part.partition("=") for part in _given(get, name).split(",") if part.strip()]
    if wrong := next((key for key, equals, _ in given if not key or not equals), None):
        raise ValueError(f"-c {name}={wrong}: accepted is name=value,name=value")
    return {key.strip(): value.strip() for key, _, value in given}


def _tags(get: Callable[[str], Any], name: str) -> dict[str, str]:
    """Names and values that every service takes."""
    found = _pairs(get, name)
    for key, value in found.items():
        if not (TAG_NAME.fullmatch(key) and TAG_VALUE.fullmatch(value)):
            what = "letters, digits, spaces and . : / = + - @; a name has 128 at most and does not begin with aws:, a value has 256"
            raise ValueError(f"-c {name}={key}: accepted are {what}")
    return found


def _numbers(get: Callable[[str], Any], name: str) -> dict[str, int]:
    return {key: _whole(name, value) for key, value in _pairs(get, name).items()}


def _sizes(get: Callable[[str], Any], name: str, accepted: range) -> dict[str, int]:
    """Numbers within what AWS takes."""
    found = _numbers(get, name)
    for key, value in found.items():
        if value not in accepted:
            raise ValueError(f"-c {name}={key}={value}: accepted are {accepted[0]} to {accepted[-1]} MB")
    return found
