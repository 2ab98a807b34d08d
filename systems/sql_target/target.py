"""Publishes to one table of a database: compares, brings the changes to a staging table, applies them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shared_metadata.contract.harness import Published
from shared_metadata.contract.landed import Landed
from shared_metadata.contract.results.changes import compare, key_of
from shared_metadata.contract.results.receipt import Receipt
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import RowError
from systems.sql_target.batch import Batch
from systems.sql_target.dialect import Session
from systems.sql_target.receipts import Receipts, forget_receipts
from systems.sql_target.sifting import SIFTING, SiftedBatch
from systems.sql_target.table import TargetColumn, matched

OpenSession = Callable[[Deadline], Session]


@dataclass(frozen=True)
class Held:
    """What a database holds of a flow.  fitting: result column ▸ the table's."""

    batch: Batch
    receipts: Sequence[Receipt]
    fitting: Mapping[str, TargetColumn]


class SqlTarget:
    """The Target of contract/harness.py; it compares with the target's own receipts, not with Atoll's records.

    schema: that of the receipts and the staging tables.
    """

    def __init__(self, open_session: OpenSession, schema: str, services: Services) -> None:
        self._open_session, self._schema, self._services = open_session, schema, services
        self._open: list[Any] = []

    def close(self) -> None:
        for opened in self._open:
            opened.close()

    def diff(self, work: Work, result: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """{'upserts', 'deletes', 'files', …}; reads receipts and table, writes nothing to the database but the receipts table."""
        held = self.held(work, result, deadline, makes=True)
        changes = self.changes(work, result, held, staging.url(work.table.dataset, "changes"), deadline)
        if changes["nothing"]:
            with held.batch.translated():
                held.batch.drop_left()
        return changes

    def held(self, work: Work, result: Mapping[str, Any], deadline: Deadline, *, makes: bool = False) -> Held:
        """Reads what the database says of the flow.  makes: the table of receipts, where there is none."""
        batch, columns = self._batch(Batch, work, deadline), result["schema"]["columns"]
        with batch.translated():
            if makes:
                batch.receipts.ensure()
            there = makes or batch.receipts.there
            receipts = batch.receipts.since(work.flow.id, work.claim.interval.start) if there else []
            types = batch.session.dialect.types
            return Held(batch, receipts, matched(batch.table(columns), columns, key_of(work), batch.place, types))

    def changes(self, work: Work, result: Mapping[str, Any], held: Held, url: str, deadline: Deadline) -> dict[str, Any]:
        """Compares the result with what the database holds; asks nothing of it.  url: below which files are written."""
        columns, dialect, key = result["schema"]["columns"], held.batch.session.dialect, key_of(work)
        keys = [(held.fitting[c["name"]], c["type"]) for c in columns if c["name"] in key]
        exact = all(dialect.types.tells_apart(column, kind) for column, kind in keys)
        forgetting = partial(forget_receipts, dialect, self._schema, work)
        changes = compare(work, result, held.receipts, self._results(held.batch, deadline), url, forgetting, exact)
        return {**changes, "columns": columns, "written": [c["name"] for c in columns if c["name"] in held.fitting]}

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
        session = self._open_session(deadline)
        self._open.append(session)
        return kind(session, self._schema, work, deadline)

    def _results(self, batch: Batch, deadline: Deadline) -> Results:
        results = Results(self._services, batch.place, deadline)
        self._open.append(results)
        return results


def newest_batches(session: Session, schema: str, flows: Mapping[str, str], place: str) -> dict[str, Landed | None]:
    """Each published table's newest batch, by the receipt of its flow; closes the session."""
    try:
        receipts = Receipts(session, schema)
        return {dataset: receipts.newest(flow) for dataset, flow in flows.items()}
    except session.error as error:
        raise session.explained(error, place, None, ()) from None
    finally:
        session.close()
