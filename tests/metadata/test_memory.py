"""The metadata layer over the DynamoDB in memory that the model of the commit protocol stands on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.metadata.behaviour import MetadataBehaviour
from tests.metadata.drift_behaviour import DriftBehaviour
from tests.metadata.memory import MemoryDynamoDB


class TestOverMemory(MetadataBehaviour, DriftBehaviour):
    @pytest.fixture
    def dynamodb(self) -> Any:
        return MemoryDynamoDB()
