"""The metadata layer over moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.memory.light_moto import moto_client
from tests.metadata.behaviour import MetadataBehaviour
from tests.metadata.covering_behaviour import CoveringBehaviour
from tests.metadata.drift_behaviour import DriftBehaviour


@pytest.mark.deep
@pytest.mark.nightly
class TestOverMoto(MetadataBehaviour, CoveringBehaviour, DriftBehaviour):
    @pytest.fixture
    def dynamodb(self) -> Iterator[Any]:
        with moto_client("dynamodb") as client:
            yield client
