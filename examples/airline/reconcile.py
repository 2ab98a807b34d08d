"""Compares what was published with the same questions asked of the sources directly, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa

from examples.airline.crm import Crm
from shared_metadata.contract.parquet.duckdb_session import literal, open_duckdb

# Written for the sources as they are, not derived from the program: a mistake in either shows.
EXPECTED = {
    "carrier_scorecard": """
        SELECT f.carrier, a.name, count(DISTINCT f.time_hour::date) AS days, count(*) AS flights,
               round(sum(f.dep_delay) / count(f.dep_delay), 2) AS mean_delay, a.pipeline, a.deals
        FROM production.public.flights f
        LEFT JOIN (SELECT a.carrier, a.name, sum(o.amount) AS pipeline, count(o.id) AS deals
                   FROM crm_account a LEFT JOIN crm_opportunity o ON o.account_id = a.id
                   WHERE a.type = 'Airline' GROUP BY ALL) a ON a.carrier = f.carrier
        GROUP BY f.carrier, a.name, a.pipeline, a.deals""",
    "airport_delays": """
        SELECT p.faa, p.name, count(*) AS departures, round(avg(f.dep_delay), 2) AS mean_delay,
               count(DISTINCT n.manufacturer) AS manufacturers,
               (SELECT max(wind_gust) FROM production.public.weather w WHERE w.origin = p.faa) AS strongest_gust
        FROM production.public.flights f
        JOIN production.public.airports p ON p.faa = f.origin
        LEFT JOIN production.public.planes n ON n.tailnum = f.tailnum
        GROUP BY p.faa, p.name""",
}
QUERIES = {
    "crm_account": "SELECT Id, Name, Type, Carrier_Code__c FROM Account",
    "crm_opportunity": "SELECT Id, AccountId, Amount FROM Opportunity",
}


@dataclass(frozen=True)
class Difference:
    """How one published table differs from its sources; `examples` are a few of the rows, for the eye."""

    table: str
    rows: int
    missing: int
    unexpected: int
    examples: tuple[str, ...]

    @property
    def same(self) -> bool:
        return not self.missing and not self.unexpected


def reconcile(
    dsn: str, crm: Crm, expected: Mapping[str, str] = EXPECTED, others: Mapping[str, pa.Table] = MappingProxyType({})
) -> list[Difference]:
    """One entry for each published table. expected: table ▸ its rows by SQL on the sources.  others: what that reads beside them."""
    with open_duckdb(extensions=("postgres_scanner",)) as connection:
        connection.execute(f"ATTACH {literal(dsn)} AS production (TYPE postgres, READ_ONLY)")
        _fetch_crm(connection, crm)
        for name, rows in others.items():
            connection.register(name, rows)
        return [_compare(connection, table, query) for table, query in expected.items()]


def _fetch_crm(connection: duckdb.DuckDBPyConnection, crm: Crm) -> None:
    client = crm.client()
    connection.execute("CREATE TABLE crm_account (id VARCHAR, name VARCHAR, type VARCHAR, carrier VARCHAR)")
    connection.execute("CREATE TABLE crm_opportunity (id VARCHAR, account_id VARCHAR, amount DECIMAL(18, 2))")
    for table, query in QUERIES.items():
        if rows := [_values(record) for record in client.query_all_iter(query)]:
            connection.register("found", pa.Table.from_pylist(rows))
            connection.execute(f"INSERT INTO {table} SELECT * FROM found")


def _values(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "attributes"}


def _compare(connection: duckdb.DuckDBPyConnection, table: str, query: str) -> Difference:
    published = f"SELECT {_comparable(connection, query)} FROM production.published.{table}"
    expected = f"SELECT {_comparable(connection, query)} FROM ({query})"
    rows = connection.sql(published).fetchall()
    missing = connection.sql(f"({expected}) EXCEPT ALL ({published})").fetchall()
    unexpected = connection.sql(f"({published}) EXCEPT ALL ({expected})").fetchall()
    shown = [f"missing {row}" for row in missing[:3]] + [f"unexpected {row}" for row in unexpected[:3]]
    return Difference(table, len(rows), len(missing), len(unexpected), tuple(shown))


def _comparable(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The columns, numbers as decimals of two places: the types on both sides need not be the same, the values do."""
    described = connection.execute(f"DESCRIBE {query}").fetchall()
    texts = [name for name, kind, *_ in described if kind == "VARCHAR"]
    return ", ".join(name if name in texts else f"{name}::DECIMAL(38, 2) AS {name}" for name, *_ in described)
