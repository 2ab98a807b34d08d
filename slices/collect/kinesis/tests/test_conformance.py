"""The suite of every collect slice, over streams of JSON objects whose types the program says."""

from __future__ import annotations

import pytest

from slices.collect.kinesis.tests.under_test import KinesisUnderTest, PackedUnderTest
from tests.conformance.events import EventsConformance


class TestConformance(EventsConformance):
    @pytest.fixture
    def source(self) -> KinesisUnderTest:
        return KinesisUnderTest()


@pytest.mark.repeats(6)
class TestPackedConformance(EventsConformance):
    @pytest.fixture
    def source(self) -> PackedUnderTest:
        return PackedUnderTest()
