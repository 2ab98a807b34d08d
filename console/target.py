"""The account that a command talks to: the embedded AWS, or a real one by profile."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from shared_metadata import naming
from shared_metadata.errors import InputError
from shared_metadata.reader import MetadataReader
from shared_metadata.writer import MetadataWriter

LOCAL = "local"


@dataclass(frozen=True)
class Target:
    """An account and region. `profile` is 'local' or a profile of the AWS configuration."""

    profile: str
    session: Any

    @cached_property
    def account(self) -> str:
        return str(self.session.client("sts").get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    @cached_property
    def writer(self) -> MetadataWriter:
        return MetadataWriter(self.session.client("dynamodb"), naming.METADATA_TABLE)

    @property
    def reader(self) -> MetadataReader:
        return self.writer.reader

    def state_machine_arn(self, slice_id: str) -> str:
        return naming.state_machine_arn(slice_id, self.account, self.region)


def open_target(profile: str | None, root: Path | None = None) -> Target:
    """The target of `--profile`, of ATOLL_PROFILE, or else 'local' where an embedded AWS was ever started.

    Raises InputError when that does not run or does not exist.
    """
    from infra.embedded import status, up

    folder = root or Path.cwd()
    chosen = profile or os.environ.get("ATOLL_PROFILE") or (LOCAL if (folder / ".atoll" / "local.json").exists() else "")
    if chosen == LOCAL:
        if not status(folder).running:
            raise InputError(f"the embedded AWS of {folder} does not run", remedy="atoll local up")
        return Target(LOCAL, up(folder).session())
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        session = boto3.Session(profile_name=chosen or None)
    except ProfileNotFound as error:
        raise InputError(
            str(error), remedy="`aws configure list-profiles` shows the profiles; `local` is the embedded AWS"
        ) from error
    if not session.region_name:
        raise InputError("no region is set", remedy="set AWS_REGION, or `region` in the profile")
    return Target(chosen or "default", session)


def profile_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--profile`, the same for every verb that talks to an account."""
    return click.option(
        "--profile", metavar="NAME", help="AWS profile, or `local` for the embedded AWS (default: local if there is one here)."
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, the same for every verb."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of text for people.")(command)
