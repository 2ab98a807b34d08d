"""The driver of a warehouse that keeps rows itself: it loads files, computes views, and makes all visible by its statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from shared_metadata.contract.evolution import evolution
from shared_metadata.contract.maintenance.request import MaintenanceRequest, MaintenanceResult
from shared_metadata.contract.organize import CheckResult, Committed
from shared_metadata.contract.own_columns import VIEW_BATCH, batch_column
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.left_rows import left_columns
from shared_metadata.contract.parquet.rejected_rows import RejectedRow
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.program import Flow, Kind, Mode, Warehouse, from_plain
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_widening import Widens
from systems.sql_warehouse import checking, commit, described, reading, rejected
from systems.sql_warehouse import upkeep as upkeep_of
from systems.sql_warehouse.dialect import LEDGERS, STAGING, WarehouseSql, create, names, table
from systems.sql_warehouse.ledger import Ledger
from systems.sql_warehouse.merging import latest
from systems.sql_warehouse.options import WarehouseOptions
from systems.sql_warehouse.session import Service, Session, turn_of
from systems.sql_warehouse.tables import marked, place_of, refuse_another_s, stored

Document = dict[str, Any]


class SqlWarehouseDriver:
    """shared_metadata.contract.organize.Driver over a warehouse's SQL and service.

    A prepared result is a JSON document: 'table', the staging table of its rows, 'columns', 'rows', 'sizes' of files, 'left' and
    'aside', staging tables or '', 'rejected_rows', 'tables' to drop, 'saw', what states were read, and 'statements', what has run.
    """

    sql: WarehouseSql
    widens: Widens  # as the slice declares them

    def __init__(self, warehouse: Warehouse, services: Services, options: WarehouseOptions) -> None:
        self._warehouse, self._services, self._options = warehouse, services, options

    def service(self, place: str) -> Service:
        raise NotImplementedError

    # -- the steps

    def load(self, work: Work, staged: Mapping[str, Any], staging: Staging, deadline: Deadline) -> Document:
        """Loads staged files by the warehouse's own bulk load, a transaction with all that the batch brings."""
        flow, columns = work.flow, from_plain(Schema, staged["schema"]).columns
        described.columns_exist(work, columns)
        described.refuse_types(self.sql, columns, work.place)
        files = [file for file in staged["files"] if file["rows"]]
        rows, aside, left, there = self._staging(work, "rows"), "", "", ""
        texts = [create(self.sql, rows, columns)]
        if files:
            texts += self._copied(work, "raw", files, staging, columns, rows, flow.mode == Mode.MERGE)
        whole = bool(staged.get("whole")) and flow.mode == Mode.MERGE
        if staged.get("left") or whole:
            left, gone = self._staging(work, "left"), left_columns(flow, columns)
            texts += [create(self.sql, left, gone)]
        if staged.get("left"):
            texts += self._copied(work, "raw left", staged["left"], staging, gone, left, True)
        if staged.get("there") and whole:
            there = self._staging(work, "there")
            texts += [create(self.sql, there, gone), *self._copied(work, "raw there", staged["there"], staging, gone, there, True)]
        if staged.get("rejected"):
            aside, unread = self._staging(work, "aside"), rejected_rows.COLUMNS
            texts += [create(self.sql, aside, unread)]
            texts += self._copied(work, "raw aside", staged["rejected"], staging, unread, aside, False)
        session, tables = self._session(work), [name for name in (rows, left, aside, there) if name]
        # A service whose statements commit by themselves leaves these where it stops between two.
        brought = {"raw": files, "raw left": staged.get("left"), "raw aside": staged.get("rejected"), "raw there": there}
        raw = [self._staging(work, purpose) for purpose, given in brought.items() if given]
        ran = session.run("load", [*self._schema(*tables, *raw), *texts, self._there(work), f"SELECT count(*) FROM {rows}"])
        self._fits(work, session.rows(ran, -2), columns)
        (count,) = session.rows(ran)[0]
        return {
            **{"table": rows, "columns": [asdict(column) for column in columns], "rows": int(count)},
            **{"sizes": [file["bytes"] for file in files], "left": left, "whole": whole, "aside": aside, "saw": {}},
            **{"there": [there] if there else []},
            **{"rejected_rows": sum(file["rows"] for file in staged.get("rejected", ()))},
            **{"tables": tables, "statements": session.ran},
        }

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> Document:
        """Computes the query over its inputs as they are, and asks in the same transaction which state of each that is."""
        flow, start, session = work.flow, to_text(work.claim.interval.start), self._session(work)
        inputs = [*reads]
        asked = session.run("inputs", [self.sql.columns_of([place_of(name) for name in inputs]), self._there(work)])
        found = stored(self.sql, session.rows(asked, -2), work.place)
        text = reading.query(self.sql, work, found)
        columns = described.compiled(work, self._services) or described.asked(self.sql, session, work, text)
        described.refuse_types(self.sql, columns, work.place)
        described.columns_exist(work, columns)
        batch = "" if flow.kind == Kind.RESULT or flow.mode == Mode.REPLACE else start
        kept = (*columns, SchemaColumn(VIEW_BATCH, "timestamptz")) if batch else columns
        self._fits(work, session.rows(asked), kept)
        rows = self._staging(work, "rows")
        insert = self.sql.fill(rows, names(self.sql, kept), reading.cast(self.sql, text, kept, batch))
        newest = " UNION ALL ".join(Ledger(self.sql, name).newest(name) for name in inputs)
        keys = flow.key if flow.mode == Mode.MERGE and flow.kind != Kind.RESULT else ()
        # Which states are there is asked first: of a warehouse whose every statement sees the newest, the query sees no older ones.
        texts = [*self._schema(rows), create(self.sql, rows, kept), *([newest] if newest else ()), insert]
        texts += [checking.twice(rows, self.sql, kept, keys)] if keys else []
        ran = session.run("rows", [*texts, f"SELECT count(*) FROM {rows}"])
        if keys:
            described.refuse_twins(work, int(session.rows(ran, -2)[0][0]))
        saw = session.rows(ran, -4 if keys else -3) if newest else []
        return {
            **{"table": rows, "columns": [asdict(c) for c in kept], "rows": int(session.rows(ran)[0][0]), "sizes": []},
            **{"left": "", "aside": "", "rejected_rows": 0, "tables": [rows], "statements": session.ran},
            "saw": {name: through for name, through in saw if through},
        }

    def check(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], Document]:
        """Checks the expectations over the staged rows; rows that are set aside go to a staging table of their own."""
        expected, rows, sql = work.flow.expectations, prepared["table"], self.sql
        failing = {e.name: checking.fails(sql, e, reading.bounds(sql, work)) for e in expected}
        session = self._session(work)
        count, *numbers = session.rows(session.run("counts", [checking.counts(rows, [*failing.values()])]))[0]
        results = [CheckResult(e.name, e.action, int(n), int(count)) for e, n in zip(expected, numbers, strict=True)]
        failing = {e.name: failing[e.name] for e in expected if e.action == "QUARANTINE"}
        if not any(r.failing and r.action == "QUARANTINE" for r in results):
            return results, {**prepared, "statements": [*prepared["statements"], *session.ran]}
        columns = _columns(prepared)
        kept, aside, unread = self._staging(work, "kept"), self._staging(work, "all aside"), prepared["aside"]
        own = [c for c in columns if c.name != batch_column(work.flow)]
        texts = [
            *self._schema(kept, aside),
            *(create(sql, kept, columns), checking.keep(rows, kept, sql, columns, [*failing.values()])),
            create(sql, aside, rejected_rows.COLUMNS),
            checking.put_aside(rows, aside, unread, sql, own, failing, to_text(work.claim.interval.start)),
            f"SELECT (SELECT count(*) FROM {kept}) AS kept, (SELECT count(*) FROM {aside}) AS aside",
        ]
        stay, gone = session.rows(session.run("aside", texts))[0]
        document = {**prepared, "table": kept, "rows": int(stay), "aside": aside, "rejected_rows": int(gone)}
        document["there"] = [*prepared.get("there", ()), rows] if prepared.get("whole") else []
        document["tables"] = list(dict.fromkeys([*prepared["tables"], kept, aside]))
        return results, {**document, "statements": [*prepared["statements"], *session.ran]}

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        session = self._session(work)
        if work.flow.kind == Kind.RESULT:
            return commit.result(self.sql, session, work, prepared, staging)
        return commit.rows(self.sql, session, work, prepared, self.widens)

    def keep(self, flow: Flow) -> timedelta:
        return self._options.keep_of(flow.interval_seconds)

    def maintain(self, upkeep: MaintenanceRequest, deadline: Deadline) -> MaintenanceResult:
        """Shortens the ledger; the warehouse looks after rows by itself, and no file that was staged is a table's."""
        since = upkeep.now - self.keep(upkeep.flow)
        return upkeep_of.shortened(self.sql, self.service(upkeep.dataset), upkeep.dataset, since, self._services.deadline_monotonic)

    def tidy(self) -> None:
        """Drops the staging tables of batches that did not end."""
        place = f"warehouse {self._warehouse.name}"
        upkeep_of.tidied(self.sql, self.service(place), place, self._services.clock(), self._services.deadline_monotonic)

    def rejected(self, dataset: str, limit: int) -> list[RejectedRow]:
        return rejected.latest(self.sql, self.service(dataset), dataset, limit, self._services.deadline_monotonic)

    # -- pieces

    def _session(self, work: Work) -> Session:
        return Session(self.service(work.place), turn_of(work), work.place, 60.0 * self._options.statement_minutes)

    def _there(self, work: Work) -> str:
        """Asks the catalog for the table that takes the rows, and for its ledger; a result has but that."""
        name = work.table.dataset
        target = [place_of(name)] if work.flow.kind != Kind.RESULT else []
        return self.sql.columns_of([*target, (LEDGERS, Ledger(self.sql, name).name)])

    def _fits(self, work: Work, told: Sequence[Sequence[Any]], columns: Sequence[SchemaColumn]) -> None:
        """Raises DefinitionError where the table cannot take these columns, or is another's."""
        if work.flow.kind != Kind.RESULT:
            place, found = place_of(work.table.dataset), stored(self.sql, told, work.place)
            if place in found and len(found) == 1 and place not in marked(self.sql, told):
                raise refuse_another_s(self.sql, *place, work.place)
            evolution(found.get(place, ()), columns, work.table.dataset, place=work.place, widens=self.widens)

    def _schema(self, *tables: str) -> list[str]:
        """The schema of staging tables, and entries of those that are made, which find them if their batch does not end."""
        return upkeep_of.entered(self.sql, tables)

    def _staging(self, work: Work, purpose: str) -> str:
        """A table of this claim's own, as it is written."""
        token = turn_of(work).token(f"table {purpose}").replace("-", "")
        return table(self.sql, STAGING, f"{purpose.replace(' ', '_')}_{token}")

    def _copied(
        self,
        work: Work,
        purpose: str,
        files: Sequence[Mapping[str, Any]],
        staging: Staging,
        columns: Sequence[SchemaColumn],
        into: str,
        once: bool,
    ) -> list[str]:
        """Loads files into a table of what they hold, and these rows, of MERGE each key once, into the one of the columns' types."""
        sql, raw, flow = self.sql, self._staging(work, purpose), work.flow
        loaded = {column.name: sql.loaded(column) for column in columns}
        bucket = self._services.environment.atoll_data_bucket
        entries = [
            {"url": f"s3://{bucket}/{file['key']}", "mandatory": True, "meta": {"content_length": self._length(bucket, file)}}
            for file in files
        ]
        place = f"copy-{purpose.replace(' ', '-')}-{turn_of(work).token(purpose)[:8]}.json"
        key = staging.write({"entries": entries}, work.table.dataset, place)
        values = ", ".join(f"{loaded[c.name][1]} AS {sql.identifier(c.name)}" for c in columns)
        query = f"SELECT {values} FROM {raw}"
        if once:
            query = latest(sql, f"({query}) AS loaded", columns, flow.key, flow.cursor)
        return [
            f"CREATE TABLE {raw} ({', '.join(f'{sql.filed(c.name)} {loaded[c.name][0]}' for c in columns)})",
            *sql.copy(raw, f"s3://{bucket}/{key}", [str(entry["url"]) for entry in entries], columns),
            sql.fill(into, names(sql, columns), query),
            f"DROP TABLE {raw}",
        ]

    def _length(self, bucket: str, file: Mapping[str, Any]) -> int:
        """The bytes of a file; of rows that were set aside, manifests do not tell."""
        if "bytes" in file:
            return int(file["bytes"])
        return int(self._services.s3.head_object(Bucket=bucket, Key=file["key"])["ContentLength"])


def _columns(prepared: Mapping[str, Any]) -> tuple[SchemaColumn, ...]:
    return tuple(from_plain(SchemaColumn, column) for column in prepared["columns"])
