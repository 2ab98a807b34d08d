"""The metadata layer over the DynamoDB in memory that the model of the commit protocol stands on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.memory.clients import QuickSession
from tests.memory.dynamodb import MemoryDynamoDB
from tests.metadata.behaviour import MetadataBehaviour
from tests.metadata.covering_behaviour import CoveringBehaviour
from tests.metadata.drift_behaviour import DriftBehaviour


@pytest.mark.deep
class TestOverMemory(MetadataBehaviour, CoveringBehaviour, DriftBehaviour):
    @pytest.fixture
    def dynamodb(self) -> Any:
        return MemoryDynamoDB()


class TestOverItsClient(MetadataBehaviour, CoveringBehaviour, DriftBehaviour):
    """The same table asked through boto3's clients, as the slices' suites ask it."""

    @pytest.fixture
    def dynamodb(self) -> Any:
        return QuickSession({"dynamodb": MemoryDynamoDB()}, region_name="eu-central-1").client("dynamodb")
