"""In which account tables are, and what DynamoDB's errors mean."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared_metadata.errors import DefinitionError, WaitForAws
from slices.harness.dynamodb.account import explained, key_of, open_client
from slices.harness.dynamodb.config import Config
from slices.harness.dynamodb.tests.under_test import Target, refusal
from tests.memory.light_moto import moto_client

ROLE = "arn:aws:iam::210987654321:role/atoll-writes"


def test_tables_of_another_account_are_reached_by_its_role() -> None:
    with moto_client("dynamodb") as own:
        Target(own).make({"carrier": "S"})
        session = boto3.Session("testing", "testing", region_name="eu-central-1")
        here, there = (
            open_client(Config(tables="carriers", role=role, external_id="atoll"), session, "here")  # type: ignore[call-arg]
            for role in ("", ROLE)
        )
        found = key_of(here, Target.there, "here")
        assert found and found.kinds == {"carrier": "S"} and key_of(there, Target.there, "here") is None
        Target(there).make({"at": "N", "carrier": "S"})
        found = key_of(there, Target.there, "here")
        assert found and [*found.kinds.items()] == [("at", "N"), ("carrier", "S")]


def test_a_region_of_its_own_is_asked() -> None:
    with moto_client("dynamodb") as own:
        Target(own).make({"carrier": "S"})
        session = boto3.Session("testing", "testing", region_name="eu-central-1")
        client = open_client(Config(tables="carriers", region="eu-west-1"), session, "here")  # type: ignore[call-arg]
        assert client.meta.region_name == "eu-west-1" and key_of(client, Target.there, "here") is None


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (refusal("ThrottlingException", "PutItem"), WaitForAws, "ThrottlingException"),
        (EndpointConnectionError(endpoint_url="https://x"), WaitForAws, "EndpointConnectionError"),
        (refusal("AccessDenied", "AssumeRole"), DefinitionError, "with `role`, let that role trust it"),
        (refusal("ResourceNotFoundException", "PutItem"), DefinitionError, "make the table"),
    ],
)
def test_what_is_no_row_s_fault_is_told_with_its_remedy_or_waited_for(error: ClientError, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said), explained("here"):
        raise error
