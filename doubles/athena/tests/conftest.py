"""Queries in Trino's SQL, run by DuckDB over tables of the tests' own: without an AWS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pytest
from sqlglot import exp

from doubles.athena import results
from doubles.athena.casts import MACROS
from doubles.athena.engine import described
from doubles.athena.kinds import duck, said
from doubles.athena.queries import Queries
from doubles.athena.scope import Column, Value
from doubles.athena.sources import Query
from doubles.athena.statement import parsed
from shared_metadata.program.type_names import TypeName as Kind


@dataclass
class Trino:
    """columns: of the one table that there is, f. Its rows are put in by `fill`."""

    connection: duckdb.DuckDBPyConnection
    columns: Sequence[tuple[str, Kind]] = ()

    def fill(self, columns: Sequence[tuple[str, Kind]], rows: Sequence[str]) -> None:
        """rows: each in DuckDB's SQL, '1, NULL'."""
        self.columns = columns
        listed = ", ".join(f"c{number} {duck(kind)}" for number, (_, kind) in enumerate(columns, 1))
        self.connection.execute(f"CREATE OR REPLACE TABLE rows_of_f ({listed})")
        for row in rows:
            self.connection.execute(f"INSERT INTO rows_of_f VALUES ({row})")

    def query(self, text: str) -> Query:
        return Queries(self._table).query(parsed(text))

    def _table(self, node: exp.Table, number: int) -> tuple[str, Sequence[Column], tuple[str, ...]]:
        found = [Column(name, Value(f"c{n}", kind)) for n, (name, kind) in enumerate(self.columns, 1)]
        return "FROM rows_of_f", found, tuple(part.name.lower() for part in node.parts)

    def types(self, text: str) -> list[str]:
        """Those that the query is to have, which DuckDB gives it too."""
        query = self.query(text)
        has, wanted = described(self.connection, query)
        assert has == wanted, query.sql
        return [said(column.value.kind) for column in query.columns]

    def answers(self, text: str) -> list[list[str | None]]:
        """The rows, as the CSV of a result has them."""
        query = self.query(text)
        rows = self.connection.execute(query.sql).to_arrow_table()
        return results.rows_of(results.csv_of(query.columns, rows))[1:]


@pytest.fixture(scope="module")
def one_trino() -> Iterator[Trino]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        connection.execute(MACROS)
        yield Trino(connection)
