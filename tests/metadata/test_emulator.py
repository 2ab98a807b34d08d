"""The metadata layer over the embedded AWS's DynamoDB."""

from __future__ import annotations

from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.metadata.behaviour import MetadataBehaviour
from tests.metadata.covering_behaviour import CoveringBehaviour
from tests.metadata.drift_behaviour import DriftBehaviour


@pytest.mark.deep
@pytest.mark.xdist_group("emulator")
class TestOverTheEmulator(MetadataBehaviour, CoveringBehaviour, DriftBehaviour):
    @pytest.fixture
    def dynamodb(self, local_aws: EmbeddedAws) -> Any:
        return local_aws.session().client("dynamodb")
