"""The metadata layer over the DynamoDB in memory that the model of the commit protocol stands on."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from tests.metadata.behaviour import MetadataBehaviour
from tests.metadata.drift_behaviour import DriftBehaviour
from tests.metadata.memory import MemoryDynamoDB
from tests.metadata.memory_client import keep_dynamodb_in_memory


class TestOverMemory(MetadataBehaviour, DriftBehaviour):
    @pytest.fixture
    def dynamodb(self) -> Any:
        return MemoryDynamoDB()


class TestOverItsClient(MetadataBehaviour, DriftBehaviour):
    """The same table asked through boto3's clients, as the slices' suites ask it."""

    @pytest.fixture
    def dynamodb(self) -> Any:
        session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-central-1")
        keep_dynamodb_in_memory(session)
        return session.client("dynamodb")
