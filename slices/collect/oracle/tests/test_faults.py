"""Whatever breaks between a batch and the server, and wherever its function ends, no row is lost and none is there twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slices.collect.oracle.tests.under_test import OracleUnderTest
from tests.conformance.relay import KINDS, Relay
from tests.conformance.source_faults import KILLED, FaultConformance, Server
from tests.oracle import REAL, Database


class TestFaults(FaultConformance):
    every = 12

    @pytest.fixture(params=(*KINDS, *KILLED))
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def breaking(self, database: Database) -> Iterator[Server]:
        if REAL:
            pytest.skip("the server's certificate is not for what stands in between")
        relay = Relay(int(database.secret["port"]))
        yield Server(relay)
        relay.close()

    @pytest.fixture
    def source(self, database: Database, breaking: Server) -> OracleUnderTest:
        found = OracleUnderTest(database)
        found.secret = {**database.secret, "port": breaking.relay.port}
        return found
