"""A batch at its table in MariaDB, without S3 and metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from slices.harness.mysql.session import MysqlSession
from slices.harness.mysql.tests.database import Database
from systems.mysql.address import Address
from tests.conformance.direct import DirectBatches


class Direct(DirectBatches):
    """Publishes to one table of the test's database in MERGE; close it. beside: other tables to which the program publishes."""

    def __init__(
        self, target: Database, shape: Mapping[str, str], key: Sequence[str] = ("id",), table: str = "scorecard", beside: str = ""
    ) -> None:
        opened = partial(MysqlSession, Address(**target.secret), "here", "target")
        others = [f"{target.name}.{name}" for name in beside.split()]
        super().__init__(opened, shape, f"{target.name}.{table}", key, others, target.receipts_schema)
