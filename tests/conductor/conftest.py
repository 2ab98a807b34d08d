"""A conductor over the real metadata layer and a table in memory, a minute after the end of the first batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from moto import mock_aws

from conductor.environment import Environment
from conductor.starter import Starter
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import ACCOUNT, KEYS, REGION, CountsCalls, FakeStepFunctions, new_table
from tests.conformance.fixtures import SettableClock
from tests.inbox import Inbox
from tests.metadata.behaviour import FIRST


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(FIRST.end + timedelta(minutes=1))


@pytest.fixture
def dynamodb() -> CountsCalls:
    return CountsCalls(new_table())


@pytest.fixture
def writer(dynamodb: CountsCalls, clock: SettableClock) -> MetadataWriter:
    return MetadataWriter(dynamodb, "metadata", clock)  # type: ignore[arg-type]


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """Somebody who subscribes to the alerts."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Inbox(partial(boto3.client, region_name=REGION, **KEYS))


@pytest.fixture
def states(clock: SettableClock) -> FakeStepFunctions:
    return FakeStepFunctions(clock)


@pytest.fixture
def said() -> list[tuple[str, Mapping[str, Any]]]:
    return []


@pytest.fixture
def starter(writer: MetadataWriter, states: FakeStepFunctions, said: list[tuple[str, Mapping[str, Any]]]) -> Starter:
    environment = Environment("metadata", ACCOUNT, REGION, max_starts=3)
    return Starter(writer, states, environment, lambda message, figures: said.append((message, figures)))  # type: ignore[arg-type]
