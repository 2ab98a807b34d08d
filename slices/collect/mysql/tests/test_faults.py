"""Whatever breaks between a batch and the server, and wherever its function ends, no row is lost and none is there twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slices.collect.mysql.tests.under_test import MysqlUnderTest
from tests.conformance.relay import KINDS, Relay
from tests.conformance.source_faults import KILLED, FaultConformance, Server
from tests.mariadb import Database


class TestFaults(FaultConformance):
    every = 12

    @pytest.fixture(params=(*KINDS, *KILLED))
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def breaking(self, database: Database) -> Iterator[Server]:
        relay = Relay(database.server.port)
        yield Server(relay)
        relay.close()

    @pytest.fixture
    def source(self, database: Database, breaking: Server) -> MysqlUnderTest:
        found = MysqlUnderTest(database)
        found.secret["port"] = breaking.relay.port
        return found
