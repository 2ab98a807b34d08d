"""The suite of every collect slice, over a real MariaDB."""

import pytest

from slices.collect.mysql.tests.under_test import MysqlUnderTest
from tests.conformance.capture import CaptureConformance
from tests.conformance.collect import CollectConformance
from tests.conformance.drift import DriftConformance
from tests.mariadb import Database

pytestmark = pytest.mark.repeats(6)


class TestConformance(CollectConformance):
    @pytest.fixture
    def source(self, database: Database) -> MysqlUnderTest:
        return MysqlUnderTest(database)


class TestDrift(DriftConformance):
    @pytest.fixture
    def source(self, database: Database) -> MysqlUnderTest:
        return MysqlUnderTest(database)


class TestCapture(CaptureConformance):
    """Over a real MariaDB whose log tells what changes in rows."""
