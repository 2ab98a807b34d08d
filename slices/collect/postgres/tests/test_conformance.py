"""The suite of every collect slice, over a real PostgreSQL."""

import pytest

from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.under_test import PostgresUnderTest
from tests.conformance.collect import CollectConformance


class TestConformance(CollectConformance):
    @pytest.fixture
    def source(self, database: Database) -> PostgresUnderTest:
        return PostgresUnderTest(database)
