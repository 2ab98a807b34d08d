"""The metadata layer over moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.memory.light_moto import mend_moto
from tests.metadata.behaviour import MetadataBehaviour
from tests.metadata.drift_behaviour import DriftBehaviour


@pytest.mark.deep
class TestOverMoto(MetadataBehaviour, DriftBehaviour):
    @pytest.fixture
    def dynamodb(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        mend_moto()
        with mock_aws():
            yield boto3.client("dynamodb", "eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing")
