"""The account of a command: the embedded AWS, or a real one by profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.again import PROFILE
from shared_metadata import naming
from shared_metadata.aws.client import aws_client
from shared_metadata.errors import InputError

if TYPE_CHECKING:
    from shared_metadata.store.reader import MetadataReader
    from shared_metadata.store.writer import MetadataWriter

LOCAL = "local"
CONNECT_SECONDS, RETRIES = 5, 3


@dataclass(frozen=True)
class Target:
    """An account and region. `profile` is 'local' or a profile of the AWS configuration.

    variables: those by which libraries with AWS clients of their own find the embedded AWS; none for an account.
    """

    profile: str
    session: Any
    variables: Mapping[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client with the retries of functions' clients, but not as many: a user waits."""
        return aws_client(self.session, service, max_attempts=RETRIES)

    @cached_property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    @cached_property
    def writer(self) -> MetadataWriter:
        from shared_metadata.store.writer import MetadataWriter

        return MetadataWriter(self.client("dynamodb"), naming.METADATA_TABLE)

    @property
    def reader(self) -> MetadataReader:
        return self.writer.reader

    @contextmanager
    def environment(self) -> Iterator[None]:
        """A context in which DuckDB and s3fs, which make their clients by themselves, reach this account too."""
        former = {name: os.environ.get(name) for name in self.variables}
        os.environ.update(self.variables)
        try:
            yield
        finally:
            for name, value in former.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})

    def state_machine_arn(self, slice_id: str) -> str:
        partition = self.session.get_partition_for_region(self.region)
        return naming.state_machine_arn(slice_id, self.account, self.region, partition)


def open_target(profile: str | None, root: Path | None = None) -> Target:
    """The target of `--profile`, of ATOLL_PROFILE, or else 'local' where an embedded AWS was ever started, or else of AWS_*.

    Raises InputError when that does not run or does not exist.
    """
    folder = root or Path.cwd()
    chosen = profile or os.environ.get("ATOLL_PROFILE") or (LOCAL if (folder / ".atoll" / "local.json").exists() else "")
    return _local(folder) if chosen == LOCAL else _account(chosen)


def _local(folder: Path) -> Target:
    from infra.embedded import status, up

    if not status(folder).running:
        raise InputError(
            f"the embedded AWS of {folder} does not run",
            remedy="atoll local up, or choose an account with `--profile`",
        )
    stack = up(folder)
    return Target(LOCAL, stack.session(), stack.environment())


def _account(profile: str) -> Target:
    import boto3
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import ProfileNotFound

    # a user waits: the SDK's own ten tries of a minute each are for servers
    core = botocore.session.get_session()
    core.set_default_client_config(Config(connect_timeout=CONNECT_SECONDS, retries={"mode": "standard", "max_attempts": RETRIES}))
    try:
        # boto3 itself reads only AWS_DEFAULT_REGION; all other SDKs and the CLI read AWS_REGION first
        region = os.environ.get("AWS_REGION") or None
        session = boto3.Session(botocore_session=core, profile_name=profile or None, region_name=region)
    except ProfileNotFound as error:
        raise InputError(
            f"the AWS configuration has no profile {profile or os.environ.get('AWS_PROFILE', '')!r}",
            remedy="`aws configure list-profiles` shows those it has; `local` is the embedded AWS",
        ) from error
    if not session.region_name:
        raise InputError(
            "no AWS region is set",
            remedy="set AWS_REGION, or `region` in the profile; or start an AWS here: atoll local up",
        )
    return Target(profile or "default", session)


def profile_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--profile`, the same for every verb that talks to an account."""
    return click.option(
        "--profile",
        metavar="NAME",
        callback=_remember_profile,
        help="AWS profile, or `local`: the embedded AWS (default: ATOLL_PROFILE, or `local` where there is one).",
    )(command)


def _remember_profile(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    found: str | None = value or context.meta.get(PROFILE)  # for `atoll drift --profile NAME show 3`
    context.meta[PROFILE] = found
    return found


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, the same for every verb; errors then are JSON as well."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=_remember,
        help="Print JSON for programs instead of text for people.",
    )(command)


def _remember(context: click.Context, _: click.Parameter, value: bool) -> bool:
    context.meta["json"] = value
    return value
