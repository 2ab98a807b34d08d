"""The slice does what every harness slice does."""

from tests.conformance.harness import HarnessConformance


class TestConformance(HarnessConformance):
    """Its `target` is in conftest.py."""
