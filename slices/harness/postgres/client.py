"""Publishes to one table of a PostgreSQL database: compares, brings the changes to a staging table, applies them at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from shared_metadata.contract.harness import Published
from shared_metadata.contract.results.changes import compare, key_of
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import RowError
from shared_metadata.program import Connection
from slices.harness.postgres import database as db
from slices.harness.postgres import logic
from slices.harness.postgres.batch import Batch
from slices.harness.postgres.column_types import tells_apart
from slices.harness.postgres.config import read_config
from slices.harness.postgres.sifting import SIFTING, SiftedBatch
from systems.postgres.address import read_address


class PostgresTarget:
    """The Target of contract/harness.py; it compares with the target's own receipts, not with Atoll's records."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any], services: Services) -> None:
        self._config = read_config(connection)
        self._address = read_address(connection, secret)
        self._place = f"connection {connection.name} ({connection.position})"
        self._services = services
        self._open: list[Any] = []

    def close(self) -> None:
        for opened in self._open:
            opened.close()

    def diff(self, work: Work, result: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """{'upserts', 'deletes', 'files', …}; reads receipts and table, writes nothing to the database but the receipts table."""
        batch, columns = self._batch(Batch, work, deadline), result["schema"]["columns"]
        with batch.translated():
            batch.receipts.ensure()
            receipts = batch.receipts.since(work.flow.id, work.claim.interval.start)
            matched = logic.matched(batch.table(columns), columns, key_of(work), batch.place)
        keys = [(matched[c["name"]], c["type"]) for c in columns if c["name"] in key_of(work)]
        exact = all(not c.collation and tells_apart(c.type, kind) for c, kind in keys)
        url = staging.url(work.table.dataset, "changes")
        forgetting = partial(logic.forget_receipts, self._config.receipts_schema, work)
        changes = compare(work, result, receipts, self._results(batch, deadline), url, forgetting, exact)
        return {**changes, "columns": columns, "written": [c["name"] for c in columns if c["name"] in matched]}

    def publish(
        self, work: Work, changes: Mapping[str, Any], staging: Staging, resume: Mapping[str, Any] | None, deadline: Deadline
    ) -> Published:
        """Publishes the changes. It goes on from the state of the staging tables; the token only says that there is more to do, and
        how.

        Rows are sifted only after the database has refused them all, in a call of its own, which has its whole time for that.
        """
        if changes["nothing"]:
            return Published(rejected=tuple(changes["rejected"]))
        sifting = resume == SIFTING
        batch = self._batch(SiftedBatch if sifting else Batch, work, deadline)
        try:
            return batch.publish(self._results(batch, deadline), changes, staging)
        except RowError:
            if sifting or work.flow.bad_rows is None:
                raise
            return Published(SIFTING)

    def _batch(self, kind: type[Batch], work: Work, deadline: Deadline) -> Batch:
        connection = db.connect(self._address, self._place, self._config.secret, deadline)
        self._open.append(connection)
        return kind(connection, self._config.receipts_schema, self._address.username, self._place, work, deadline)

    def _results(self, batch: Batch, deadline: Deadline) -> Results:
        results = Results(self._services, batch.place, deadline)
        self._open.append(results)
        return results
