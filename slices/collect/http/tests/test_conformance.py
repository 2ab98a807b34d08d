"""The suite of every collect slice, over an endpoint for JSON objects whose types the program says."""

from __future__ import annotations

import pytest

from slices.collect.http.tests.under_test import HttpUnderTest, PackedUnderTest
from tests.conformance.events import EventsConformance


class TestConformance(EventsConformance):
    @pytest.fixture
    def source(self) -> HttpUnderTest:
        return HttpUnderTest()


@pytest.mark.repeats(6)
class TestPackedConformance(EventsConformance):
    @pytest.fixture
    def source(self) -> PackedUnderTest:
        return PackedUnderTest()
