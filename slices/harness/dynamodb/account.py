"""The client by which tables are reached, and what DynamoDB's errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from shared_metadata.aws.client import aws_client
from shared_metadata.aws.later import is_later
from shared_metadata.errors import DefinitionError, WaitForAws
from slices.harness.dynamodb.config import Config
from slices.harness.dynamodb.logic import TableKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECONDS = 10  # until one answer is given up
SESSION = "atoll-harness-dynamodb"
OpenClient = Callable[[Config, Any, str], "DynamoDBClient"]


def open_client(config: Config, session: Any, place: str) -> DynamoDBClient:
    """A client of the account in which the tables are.  session: the function's own."""
    if config.role:
        import boto3

        with explained(place):
            asked = {"ExternalId": config.external_id} if config.external_id else {}
            sts = aws_client(session, "sts", region=session.region_name)
            given = sts.assume_role(RoleArn=config.role, RoleSessionName=SESSION, **asked)["Credentials"]
        own = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        session = boto3.Session(*own, region_name=config.region or session.region_name)
    client: DynamoDBClient = aws_client(
        session, "dynamodb", connections=config.writes_at_once, region=config.region, timeout_seconds=SECONDS
    )
    return client


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Says what an error means that is not one row's."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if is_later(error):
            raise WaitForAws(f"DynamoDB refuses for the moment: {_code(error)}", place=place) from None
        raise DefinitionError(f"DynamoDB refuses: {_code(error)}", place=place, remedy=_remedy(error)) from None


def key_of(client: DynamoDBClient, name: str, place: str) -> TableKey | None:
    """A table's key, by its name in the account; None for a table that is not there."""
    with explained(place):
        try:
            table = client.describe_table(TableName=name)["Table"]
        except client.exceptions.ResourceNotFoundException:
            return None
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    parts = sorted(table["KeySchema"], key=lambda part: part["KeyType"])  # HASH, RANGE
    made = f"{table['TableArn']} {table['CreationDateTime'].timestamp()}"
    return TableKey(name, {part["AttributeName"]: kinds[part["AttributeName"]] for part in parts}, made)


def _code(error: Exception) -> str:
    said = error.response.get("Error", {}) if isinstance(error, ClientError) else {}
    return str(said.get("Code") or type(error).__name__)


def _remedy(error: Exception) -> str:
    if _code(error) == "ResourceNotFoundException":
        return "make the table, or name another one: see `tables`, `prefix` and `region` of the connection"
    if "AccessDenied" in _code(error):
        return "deploy the slice's stack again with this program; with `role`, let that role trust it and write to the tables"
    return "see the slice's README for what it needs"
