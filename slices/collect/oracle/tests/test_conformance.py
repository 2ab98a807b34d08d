"""The suite of every collect slice, over the double or, where ATOLL_ORACLE names one, a real Oracle."""

import pytest

from slices.collect.oracle.tests.under_test import OracleUnderTest
from tests.conformance.collect import CollectConformance
from tests.conformance.drift import DriftConformance
from tests.oracle import Database

pytestmark = pytest.mark.repeats(6)


class TestConformance(CollectConformance):
    @pytest.fixture
    def source(self, database: Database) -> OracleUnderTest:
        return OracleUnderTest(database)


class TestDrift(DriftConformance):
    @pytest.fixture
    def source(self, database: Database) -> OracleUnderTest:
        return OracleUnderTest(database)
