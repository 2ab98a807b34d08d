"""Every kind of fault at every call of S3 that a batch makes for its objects and its lists of them: each object is read once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from shared_metadata.contract.collect import OpenSource
from slices.collect.s3.tests.under_test import S3UnderTest
from tests.conformance.broken import KINDS as OF_ANY
from tests.conformance.broken import Breaking as OfAny
from tests.conformance.fixtures import Cloud, _s3, cloud
from tests.conformance.source_faults import FaultConformance
from tests.memory.dynamodb import refused

__all__ = ["cloud"]
OPERATIONS = ("list_objects_v2", "get_object", "head_object", "put_object")
KINDS = {**OF_ANY, "throttled": (True, lambda operation: refused("SlowDown", operation))}


class Breaking(OfAny):
    """Of what S3 is asked for one bucket, but to put objects there."""

    def __init__(self, patch: pytest.MonkeyPatch, bucket: str) -> None:
        super().__init__(KINDS)
        memory = _s3()
        for operation in OPERATIONS:
            whole = getattr(memory, operation)
            of_batch = partial(self._is_of_batch, bucket, operation)
            patch.setattr(memory, operation, self.wrapped(operation, whole, of_batch))

    @staticmethod
    def _is_of_batch(bucket: str, operation: str, asked: Mapping[str, Any]) -> bool:
        """Who exports puts objects there, too."""
        return asked["Bucket"] == bucket and not (operation == "put_object" and asked["Key"].startswith("in/"))

    @property
    def chances(self) -> int:
        return self.calls

    def begin(self, at: int, kind: str) -> None:
        self.calls, self.at, self.kind, self.broke = 0, at, kind, False

    def opening(self, open_source: OpenSource) -> OpenSource:
        return open_source


class TestFaults(FaultConformance):
    every = 6

    @pytest.fixture(params=KINDS)
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def source(self, cloud: Cloud) -> S3UnderTest:
        return S3UnderTest()

    @pytest.fixture
    def breaking(self, source: S3UnderTest, monkeypatch: pytest.MonkeyPatch) -> Breaking:
        return Breaking(monkeypatch, source.bucket)
