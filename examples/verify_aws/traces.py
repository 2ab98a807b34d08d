"""Looks for what has a name of Atoll's in an account: before it is deployed there, and when it is taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from console.stacks import known_ids
from console.target import Target
from infra.settings import Settings
from shared_metadata import naming

NOT_FOUND = frozenset({"EntityNotFoundException", "NotFoundException", "NoSuchBucket", "ResourceNotFoundException", "404"})


def is_there(look: Callable[[], object]) -> bool:
    """False only where AWS says that there is none: whoever may not look, or is throttled, or signed out, has not looked."""
    try:
        look()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in NOT_FOUND:
            raise
        return False
    return True


def traces(target: Target, glue_database: str) -> list[str]:
    """Everything that is there under a name of Atoll's, whoever made it."""
    looks: dict[str, Callable[[], Any]] = {
        f"the table {naming.METADATA_TABLE}": lambda: target.client("dynamodb").describe_table(TableName=naming.METADATA_TABLE),
        f"the key {naming.KEY_ALIAS}": lambda: target.client("kms").describe_key(KeyId=naming.KEY_ALIAS),
        f"the Glue database {glue_database}": lambda: target.client("glue").get_database(Name=glue_database),
        **{f"the bucket {name}": lambda name=name: target.client("s3").head_bucket(Bucket=name) for name in buckets(target)},
    }
    return [f"the stack {_name(id)}" for id in stacks(target)] + [what for what, look in looks.items() if is_there(look)]


def buckets(target: Target) -> tuple[str, str]:
    where = (target.account, target.region)
    return naming.data_bucket(*where), naming.access_log_bucket(*where)


def stacks(target: Target) -> dict[str, Mapping[str, str]]:
    """The stacks of Atoll that stand, by the names that users type, with their tags."""
    ids = {_name(id): id for id in known_ids()}
    pages = target.client("cloudformation").get_paginator("describe_stacks").paginate()
    standing = [stack for page in pages for stack in page["Stacks"] if stack["StackName"] in ids]
    return {ids[stack["StackName"]]: {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])} for stack in standing}


def _name(id: str) -> str:
    return Settings().stack_name(id)
