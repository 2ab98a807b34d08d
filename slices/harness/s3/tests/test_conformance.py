"""The slice does what every harness slice does, as far as it declares it."""

from __future__ import annotations

import pytest

from slices.harness.s3.tests.under_test import Target
from tests.conformance.harness import HarnessConformance


@pytest.fixture
def target() -> Target:
    return Target()


class TestConformance(HarnessConformance):
    """Its modes are REPLACE and APPEND, and it takes every row."""
