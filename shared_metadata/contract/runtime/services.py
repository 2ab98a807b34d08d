"""The AWS services that a step uses, made when first asked for and kept for the life of the process."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_metadata.aws.client import aws_client
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.meter import Meter
from shared_metadata.contract.secrets.grant_lease import GrantLeases
from shared_metadata.contract.secrets.rotating_grant import RotatingGrant
from shared_metadata.contract.secrets.secret_store import read_secret
from shared_metadata.store.drift_registry import DriftRegistry
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.source_registry import SourceRegistry
from shared_metadata.store.table_reader import Clock, utc_now
from shared_metadata.store.writer import MetadataWriter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Services:
    """What the steps of a slice stand on; tests hand in their own session and clock.

    deadline_monotonic: when the call at work must have returned.
    """

    def __init__(self, environment: Environment, session: Any = None, clock: Clock = utc_now) -> None:
        self.environment, self.clock, self.meter = environment, clock, Meter()
        self._session, self._clients, self.deadline_monotonic = session, dict[str, Any](), math.inf

    @cached_property
    def session(self) -> Any:
        import boto3

        return self._session or boto3.Session()

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self.client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> S3Client:
        return self.client("s3")  # type: ignore[no-any-return]

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        return self.client("secretsmanager")  # type: ignore[no-any-return]

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
        return read_secret(self.secrets, reference, place=place).values

    def grant(self, reference: str, *, place: str) -> RotatingGrant:
        """The grant in a secret whose refresh token is replaced at each use."""
        leases = GrantLeases(self.dynamodb, self.environment.atoll_metadata_table, self.clock)
        return RotatingGrant(leases, self.secrets, reference, place, lambda: self.deadline_monotonic - time.monotonic())

    def client(self, service: str) -> Any:
        """A client of another of AWS's services, which the slice declares (`Slice.services`); what it costs is counted."""
        if service not in self._clients:
            self._clients[service] = self.meter.watch(aws_client(self.session, service))
        return self._clients[service]
