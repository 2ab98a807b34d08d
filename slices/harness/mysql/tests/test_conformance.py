"""The slice does what every harness slice does."""

import pytest

from slices.harness.mysql.tests.database import LIMITS
from tests.conformance.harness import HarnessConformance
from tests.conformance.sql_target import SqlTargetConformance

pytestmark = pytest.mark.repeats(4)


class TestConformance(HarnessConformance):
    """Its `target` is in conftest.py."""

    limits = LIMITS


class TestSqlTarget(SqlTargetConformance):
    """And what every one does that publishes by systems/sql_target."""
