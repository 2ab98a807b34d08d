"""The receipts of batches in the database, written in the transaction that publishes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.results.receipt import Receipt
from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Claim
from slices.harness.postgres.database import Connection
from slices.harness.postgres.logic import lock_number

COLUMNS = """flow text NOT NULL, batch_start timestamptz NOT NULL, batch_end timestamptz NOT NULL, token bigint NOT NULL,
    result text NOT NULL, files text NOT NULL, upserts bigint NOT NULL, deletes bigint NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(), rejected text NOT NULL DEFAULT '[]', PRIMARY KEY (flow, batch_start)"""


class Receipts:
    """The table `<schema>.receipts`."""

    def __init__(self, connection: Connection, schema: str, user: str, place: str) -> None:
        self._connection, self._schema, self._user, self._place = connection, schema, user, place
        self._table = f"{identifier(schema)}.receipts"

    def ensure(self) -> None:
        """Creates schema and table where they are missing. Raises DefinitionError with the statement to run where it may not."""
        schema, has_schema = identifier(self._schema), False
        try:
            has_schema = self._is_there("to_regnamespace", schema)
            if not has_schema:
                self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            if not self._is_there("to_regclass", self._table):
                self._connection.execute(f"CREATE TABLE IF NOT EXISTS {self._table} ({COLUMNS})")
            elif not self._names_rejected():  # made by an earlier version
                self._connection.execute(f"ALTER TABLE {self._table} ADD COLUMN IF NOT EXISTS rejected text NOT NULL DEFAULT '[]'")
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable, psycopg.errors.DuplicateSchema):
            return  # another worker made it at this moment
        except psycopg.errors.InsufficientPrivilege:
            user = identifier(self._user)
            remedy = f"CREATE SCHEMA {schema} AUTHORIZATION {user}"
            if has_schema:
                remedy = f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}"
            what = f"the user may not use or create the receipts table {self._schema}.receipts"
            raise DefinitionError(what, place=self._place, remedy=remedy) from None

    def _is_there(self, function: str, name: str) -> bool:
        row = self._connection.execute(f"SELECT {function}(%s) IS NOT NULL", (name,)).fetchone()
        return bool(row and row[0])

    def _names_rejected(self) -> bool:
        columns = "SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'rejected'"
        return self._connection.execute(columns, (self._table,)).fetchone() is not None

    def lock(self, flow: str) -> None:
        """Locks the flow, so that no other worker publishes it until the transaction ends."""
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number(flow),))

    def since(self, flow: str, start: datetime) -> list[Receipt]:
        """The receipts of batches that start then or later, oldest first; where there are none, the last one."""
        last = f"SELECT max(batch_start) FROM {self._table} WHERE flow = %s"
        rows = self._connection.execute(
            f"SELECT batch_start, token, result, files, upserts, deletes, rejected FROM {self._table} "
            f"WHERE flow = %s AND batch_start >= least(%s, ({last})) ORDER BY 1",
            (flow, start, flow),
        )
        return [
            Receipt(start, token, result, tuple(json.loads(files)), ups, downs, tuple(json.loads(rejected)))
            for start, token, result, files, ups, downs, rejected in rows
        ]

    def newest(self, flow: str) -> tuple[Interval, int] | None:
        """The interval and token of the database's last batch; None also where there are no receipts at all."""
        if not self._is_there("to_regclass", self._table):
            return None
        rows = self._connection.execute(
            f"SELECT batch_start, batch_end, token FROM {self._table} WHERE flow = %s ORDER BY 1 DESC LIMIT 1", (flow,)
        ).fetchall()
        return next(((Interval(start, end), token) for start, end, token in rows), None)

    def put(self, claim: Claim, changes: Mapping[str, Any], rejected: Sequence[Mapping[str, Any]] = ()) -> None:
        """Writes this batch's receipt; `changes['forget']`: earlier ones, which are deleted."""
        interval, counts = claim.interval, (changes["upserts"], changes["deletes"])
        files, aside = json.dumps(changes["result_files"]), json.dumps(list(rejected))
        self._connection.execute(
            f"INSERT INTO {self._table} (flow, batch_start, batch_end, token, result, files, upserts, deletes, rejected) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (flow, batch_start) DO UPDATE SET "
            "batch_end = EXCLUDED.batch_end, token = EXCLUDED.token, result = EXCLUDED.result, files = EXCLUDED.files, "
            "upserts = EXCLUDED.upserts, deletes = EXCLUDED.deletes, rejected = EXCLUDED.rejected, published_at = now()",
            (claim.flow, interval.start, interval.end, claim.token, changes["result"], files, *counts, aside),
        )
        if changes["forget"]:
            self._connection.execute(f"DELETE FROM {self._table} WHERE flow = %s AND batch_start < %s", (claim.flow, interval.start))
