"""A batch at its table in PostgreSQL, without S3 and metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from slices.harness.postgres.session import PostgresSession
from slices.harness.postgres.tests.database import Database
from systems.postgres.address import Address
from tests.conformance.direct import DirectBatches


class Direct(DirectBatches):
    """Publishes to one table of the schema public in MERGE; close it. beside: other tables to which the program publishes."""

    def __init__(
        self, target: Database, shape: Mapping[str, str], key: Sequence[str] = ("id",), table: str = "scorecard", beside: str = ""
    ) -> None:
        opened = partial(PostgresSession, Address(**target.secret), "here", "target")
        super().__init__(opened, shape, f"public.{table}", key, [f"public.{name}" for name in beside.split()])
        self.connection = self.session.connection  # type: ignore[attr-defined]
