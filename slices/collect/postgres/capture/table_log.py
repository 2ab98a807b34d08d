"""What capture by the rooms' code needs of PostgreSQL: a table's share of its log, and its texts as SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.errors import DefinitionError
from slices.collect.postgres.capture.log import Log
from slices.collect.postgres.capture.pgoutput import lsn_of, lsn_text
from slices.collect.postgres.capture.planning import LogPart
from systems.sql_source.capture.changes import Change, TooLong

if TYPE_CHECKING:
    from slices.collect.postgres.client import PostgresSource


class PostgresLog:
    """The TableLog of systems/sql_source/capture."""

    chunk_bytes = 2**22

    def __init__(self, source: PostgresSource, asked: LogPart, place: str) -> None:
        self._source, self._asked, self._place = source, asked, place
        self.table, self.since, self.key = asked.table, asked.since, asked.key
        self.columns = [name for name, _ in asked.columns]
        self._read: Log | None = None

    @property
    def mark(self) -> Mapping[str, Any] | None:
        """Where the commit of the transaction at work begins, and how many of its changes were told."""
        return {"since": lsn_text(self._read.at), "told": self._read.told} if self._read else None

    def changes(self, seconds: float, mark: Mapping[str, Any] | None = None) -> Iterator[Change]:
        import psycopg

        asked, session = self._asked, self._source.connect()
        since, until = lsn_of(mark["since"] if mark else asked.since), lsn_of(asked.until)
        self._read = log = Log(session, asked.slot, asked.publication, asked.oid, since, until, self._place)
        session.execute("SELECT set_config('statement_timeout', %s, false)", (f"{seconds:.0f}s",))
        try:
            yield from log.changes(mark["told"] if mark else 0)
        except psycopg.errors.QueryCanceled:
            raise TooLong from None
        finally:
            session.close()

    def told(self, rows: Sequence[Sequence[str | None]]) -> str:
        """PostgreSQL reads each type's text."""
        values = [
            f"(r.v ->> {number}){'' if kind == 'text' else f'::{kind}'} AS {identifier(name)}"
            for number, (name, kind) in enumerate(self._asked.columns)
        ]
        texts = literal(json.dumps(rows, ensure_ascii=False))
        return f"(SELECT {', '.join(values)} FROM jsonb_array_elements({texts}::jsonb) AS r (v))"

    def quoted(self, name: str) -> str:
        return identifier(name)

    def same(self, name: str) -> str:
        return f"t.{identifier(name)} = k.{identifier(name)}"

    def unkeyed(self, column: str) -> DefinitionError:
        cause = f"the log does not tell {column}, of the key, of a row of {self.table} that went"
        remedy = "its replica identity was another then: SELECT pg_drop_replication_slot has the next attempt copy the table anew"
        return DefinitionError(cause, place=self._place, remedy=remedy)
