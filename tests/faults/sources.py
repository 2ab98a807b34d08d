"""A small airline: the reference program's sources, and what changes in them before each batch, the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg

from doubles.salesforce import SalesforceServer
from doubles.salesforce.admin import load_schema
from doubles.salesforce.oauth import Credentials
from examples.airline.crm import OBJECTS, STAGES
from examples.airline.production import SCHEMA
from tests.faults.faults import Kind

TROUBLES = {
    Kind.EXPIRED: "expired_session",
    Kind.RATE_LIMIT: "request_limit",
    Kind.SERVER_ERROR: "server_unavailable",
    Kind.CUT: "drop_midway",
    Kind.RESET: "drop",
    Kind.SLOW: "slow",
    Kind.PAGE_TWICE: "repeat_page",
    Kind.DIES_BEFORE: "drop",
    Kind.DIES_DURING: "drop_midway",
    Kind.DIES_AFTER: "slow",
    Kind.PAUSED: "slow",
    Kind.OVERTAKEN: "slow",
}
PAGE_ROWS, SLOW_SECONDS = 25, 0.3
CARRIERS = ("AA", "B6", "DL", "UA", "WN")
ROWS = """
INSERT INTO airports SELECT faa, faa || ' airport', 40 + n, -73 - n, 10 * n, -5, 'A', 'America/New_York'
  FROM unnest(ARRAY['JFK', 'LGA', 'EWR', 'BOS']) WITH ORDINALITY AS a (faa, n);
INSERT INTO planes SELECT 'N' || n, 1990 + n % 20, 'Fixed wing', 'Maker ' || n % 7, 'M' || n % 9, 2, 50 + n, NULL, 'Turbo-fan'
  FROM generate_series(1, 60) AS s (n);
INSERT INTO weather SELECT faa, TIMESTAMPTZ '2026-01-01' + n * interval '1 hour', 20 + n % 10, 50, 180, n % 30, n % 40, 0, 1000, 10
  FROM generate_series(1, 60) AS s (n), unnest(ARRAY['JFK', 'LGA', 'EWR']) AS a (faa);
ALTER TABLE flights DISABLE TRIGGER touch;
INSERT INTO flights (carrier, flight, tailnum, origin, dest, dep_delay, arr_delay, distance, time_hour, updated_at)
  SELECT (ARRAY['AA', 'B6', 'DL', 'UA', 'WN'])[1 + n % 5], n, 'N' || 1 + n % 70, (ARRAY['JFK', 'LGA', 'EWR'])[1 + n % 3], 'BOS',
         nullif(n % 50, 13) - 5, n % 40, 100 + n, TIMESTAMPTZ '2026-01-01' + n * interval '1 hour', TIMESTAMPTZ '2026-01-02'
  FROM generate_series(1, 500) AS s (n);
"""
CHANGE = """
UPDATE flights SET dep_delay = coalesce(dep_delay, 0) + {k}, updated_at = {at} WHERE id % 11 = {k} % 11;
INSERT INTO flights (carrier, flight, tailnum, origin, dest, dep_delay, distance, time_hour, updated_at)
  SELECT (ARRAY['AA', 'B6', 'DL', 'UA', 'WN'])[1 + n % 5], n, 'N' || n, (ARRAY['JFK', 'LGA', 'EWR'])[1 + n % 3], 'BOS', n,
         700 + n, {at}, {at}
  FROM generate_series(1, 15) AS s (n);
DELETE FROM planes WHERE tailnum = 'N' || {k};
UPDATE weather SET wind_gust = wind_gust + {k} WHERE origin = 'JFK' AND extract(hour FROM time_hour) = {k} % 24;
"""
# What no cursor sees: rows that go, and a change without a moment.
UNSEEN = """
DELETE FROM flights WHERE id % 37 = {k} % 37;
UPDATE flights SET arr_delay = 1000 + {k} WHERE id % 13 = {k} % 13;
"""


def seed(dsn: str) -> None:
    """Fills an empty database."""
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA)  # type: ignore[arg-type]
        connection.execute(ROWS)
        connection.execute("CREATE PUBLICATION atoll FOR TABLE flights")


def change_database(dsn: str, number: int, at: datetime, *, captured: bool = False) -> None:
    """The changes of one batch, of the moment `at`. captured: also such as only a log tells."""
    with psycopg.connect(dsn) as connection:
        if captured:
            connection.execute(UNSEEN.format(k=number))  # type: ignore[arg-type]
        connection.execute(CHANGE.format(k=number, at=f"TIMESTAMPTZ '{at.isoformat()}'"))  # type: ignore[arg-type]
        if number % 3 == 2:
            connection.execute("DELETE FROM airports WHERE faa = 'LGA'")
        if number % 3 == 0:
            connection.execute("INSERT INTO airports VALUES ('LGA', 'La Guardia', 41, -74, 22, -5, 'A', NULL) ON CONFLICT DO NOTHING")


def refuse(dsn: str, table: str) -> None:
    """From now on the target refuses whatever is written to this table."""
    with psycopg.connect(dsn) as connection:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT refused CHECK (false) NOT VALID")  # type: ignore[arg-type]


def accept(dsn: str, table: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS refused")  # type: ignore[arg-type]


def change_meanwhile(dsn: str, at: datetime) -> None:
    """What somebody does while a batch is being collected; `at` lies after its end."""
    moment = datetime.combine(at.date(), datetime.min.time(), at.tzinfo) + timedelta(hours=5)
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE flights SET dep_delay = 77, updated_at = %s WHERE id BETWEEN 20 AND 30", (moment,))
        connection.execute("DELETE FROM planes WHERE tailnum = 'N50'")


class Sales:
    """The CRM of one run."""

    def __init__(self, now: Any, credentials: Credentials | None) -> None:
        self.server = SalesforceServer(now=now, credentials=credentials)
        self.server.start()
        self.org = self.server.org
        self.org.cursors.page_rows = PAGE_ROWS

    def fill(self, at: datetime) -> None:
        load_schema(self.org, OBJECTS)
        accounts = [{"Name": f"Carrier {code}", "Type": "Airline", "Carrier_Code__c": code} for code in CARRIERS]
        accounts += [{"Name": f"Airport {n}", "Type": "Airport"} for n in range(20)]
        self.accounts = self.org.insert("Account", accounts, at)
        self.deals = self.org.insert("Opportunity", [self._deal(n) for n in range(60)], at)

    def _deal(self, number: int) -> dict[str, Any]:
        account = self.accounts[number % len(self.accounts)]
        values = {"Name": f"Deal {number}", "AccountId": account, "StageName": STAGES[number % 3], "Amount": 1000 + 37 * number}
        return {**values, "CloseDate": "2026-12-31", "Description": 'Terms,\nwith "quotes".'}

    def change(self, number: int, at: datetime) -> None:
        """Deals are won, made and lost; an account changes its name."""
        at = at.replace(microsecond=0)
        for deal in self.deals[number : number + 3]:
            self.org.update("Opportunity", deal, {"Amount": 5000 + number, "StageName": "Closed Won"}, at)
        self.deals += self.org.insert("Opportunity", [self._deal(100 + number)], at + timedelta(seconds=1))
        self.org.delete("Opportunity", self.deals[10 + number], at + timedelta(seconds=2))
        self.org.update("Account", self.accounts[number % 25], {"Name": f"Renamed {number}"}, at)

    def arm(self, kind: Kind, path: str, met: Callable[[], None]) -> None:
        """The next request whose path ends like this meets it; then `met` is called, before the request is served."""
        name = TROUBLES[kind]
        self.org.traffic.on_fault = met
        self.org.fail_next(name, 1, f"{path}$", **({"delay_seconds": SLOW_SECONDS} if name == "slow" else {}))

    def disarm(self) -> int:
        """How many of the armed troubles nobody met."""
        left = len(self.org.traffic._armed)
        self.org.traffic.disarm()
        return left

    def asked(self) -> Iterator[str]:
        """The last parts of the paths that were asked for since."""
        while self.org.traffic.requests:
            yield self.org.traffic.requests.popleft().path.rstrip("/").rpartition("/")[2]

    def secret(self) -> dict[str, str]:
        known = self.server.credentials
        return {"client_id": known.client_id, "client_secret": known.client_secret, "login_url": self.server.url}

    def close(self) -> None:
        self.server.stop()
