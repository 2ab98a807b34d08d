"""The receipts of batches in the database, written in the transaction that publishes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared_metadata.contract.landed import Landed
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.results.changes import Which
from shared_metadata.contract.results.receipt import Receipt
from shared_metadata.contract.work import Work
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import Claim
from systems.sql_target.dialect import Dialect, Session

NAME = "receipts"


class Receipts:
    """The table `<schema>.receipts`."""

    def __init__(self, session: Session, schema: str) -> None:
        self._session, self._schema = session, schema
        self._table = f"{session.dialect.quote(schema)}.{NAME}"

    def ensure(self) -> None:
        """Creates schema and table where they are missing. Raises DefinitionError with the statement to run where it may not."""
        self._session.ensure_receipts(self._schema, self._table)

    @property
    def there(self) -> bool:
        """Whether there is such a table."""
        return NAME in self._session.tables(self._schema, NAME)

    def lock(self, flow: str) -> None:
        """Locks the flow, so that no other worker publishes it until the transaction ends."""
        self._session.lock(self._schema, flow)

    def since(self, flow: str, start: datetime) -> list[Receipt]:
        """The receipts of batches that start then or later, oldest first; where there are none, the last one."""
        last = f"SELECT max(batch_start) FROM {self._table} WHERE flow = %s"
        rows = self._session.ask(
            f"SELECT batch_start, token, result, files, upserts, deletes, rejected FROM {self._table} "
            f"WHERE flow = %s AND batch_start >= least(%s, ({last})) ORDER BY 1",
            (flow, start, flow),
        )
        return [
            Receipt(_moment(start), token, result, files, ups, downs, tuple(json.loads(rejected)), key=key)
            for start, token, result, told, ups, downs, rejected in rows
            for files, key in [_named(told)]
        ]

    def newest(self, flow: str) -> Landed | None:
        """The database's last batch; None also where there are no receipts at all."""
        if not self.there:
            return None
        newest = f"SELECT batch_start, batch_end, token FROM {self._table} WHERE flow = %s ORDER BY 1 DESC LIMIT 1"
        rows = self._session.ask(newest, (flow,))
        where = f"the receipt of {flow} in {self._schema}.{NAME}"
        return next((Landed(Interval(_moment(start), _moment(end)), token, where) for start, end, token in rows), None)

    def put(self, claim: Claim, changes: Mapping[str, Any], rejected: Sequence[Mapping[str, Any]] = ()) -> None:
        """Writes this batch's receipt; `changes['forget']`: earlier ones, which are deleted."""
        interval, counts = claim.interval, (changes["upserts"], changes["deletes"])
        named = {"files": changes["result_files"], "key": changes.get("key") or None}
        files, aside = json.dumps(named), json.dumps(list(rejected))
        earlier = "<=" if changes["forget"] else "="
        self._session.run(f"DELETE FROM {self._table} WHERE flow = %s AND batch_start {earlier} %s", (claim.flow, interval.start))
        self._session.run(
            f"INSERT INTO {self._table} (flow, batch_start, batch_end, token, result, files, upserts, deletes, rejected) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (claim.flow, interval.start, interval.end, claim.token, changes["result"], files, *counts, aside),
        )


def forget_receipts(dialect: Dialect, schema: str, work: Work, which: Which) -> str:
    """The statement that deletes receipts of the batch's flow."""
    forget = f"DELETE FROM {dialect.quote(schema)}.{NAME} WHERE flow = {literal(work.flow.id)}"
    sign = {"all": "", "this": "=", "later": ">"}[which]
    return forget + (f" AND batch_start {sign} {dialect.moment(to_text(work.claim.interval.start))}" if sign else "")


def _named(told: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """What the column `files` holds: the files, and the key by which their rows were matched; a receipt of an earlier version has a
    list of the former alone."""
    said = json.loads(told)
    files, key = (said["files"], said["key"]) if isinstance(said, dict) else (said, None)
    return tuple(files), tuple(key) if key else None


def _moment(told: datetime) -> datetime:
    """What a database that keeps no zone tells is in UTC."""
    return told if told.tzinfo else told.replace(tzinfo=UTC)
