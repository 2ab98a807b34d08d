"""The AWS services that a step uses, made when first asked for and kept for the life of the process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_metadata import naming
from shared_metadata.contract.environment import Environment
from shared_metadata.contract.meter import Meter
from shared_metadata.drift_registry import DriftRegistry
from shared_metadata.errors import SecretError
from shared_metadata.reader import Clock, MetadataReader, utc_now
from shared_metadata.source_registry import SourceRegistry
from shared_metadata.writer import MetadataWriter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Services:
    """What the steps of a slice stand on; tests hand in their own session and clock."""

    def __init__(self, environment: Environment, session: Any = None, clock: Clock = utc_now) -> None:
        self.environment, self.clock, self.meter = environment, clock, Meter()
        self._session = session

    @cached_property
    def session(self) -> Any:
        import boto3

        return self._session or boto3.Session()

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self._client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> S3Client:
        return self._client("s3")  # type: ignore[no-any-return]

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        return self._client("secretsmanager")  # type: ignore[no-any-return]

    @cached_property
    def reader(self) -> MetadataReader:
        return self.writer.reader

    @cached_property
    def writer(self) -> MetadataWriter:
        return MetadataWriter(self.dynamodb, self.environment.atoll_metadata_table, self.clock)

    @cached_property
    def sources(self) -> SourceRegistry:
        return SourceRegistry(self.dynamodb, self.environment.atoll_metadata_table, self.clock)

    @property
    def drifts(self) -> DriftRegistry:
        return self.writer.drifts

    def secret(self, reference: str, *, place: str) -> Mapping[str, Any]:
        """The JSON object behind `secret = 'reference'`. Raises SecretError; its text never holds a value."""
        name = naming.secret(reference)
        remedy = naming.create_secret(name)
        try:
            text = self.secrets.get_secret_value(SecretId=name)["SecretString"]
        except self.secrets.exceptions.ResourceNotFoundException as error:
            raise SecretError(f"the secret {name} does not exist", place=place, remedy=remedy) from error
        except self.secrets.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "AccessDeniedException":
                raise
            raise SecretError(
                f"reading the secret {name} was denied",
                place=place,
                remedy="deploy the slice's stack again, so that its role is granted this connection's secret",
            ) from error
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise SecretError(f"the secret {name} is not a JSON object", place=place, remedy=remedy)
        return value

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        return self.meter.watch(self.session.client(service, config=Config(retries={"mode": "standard", "max_attempts": 6})))
