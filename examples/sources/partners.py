"""What the airline does not keep itself: fuel bills as files in S3, boardings as events in Kinesis, payments at Stripe's double."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from doubles.rest_api import Api, stripe
from examples.airline import flights

KEY, BUCKET, FOLDER, STREAM = "rk_live_of_the_example", "airline-fuel", "bills/deliveries/", "boardings"
DAYS, EVENTS, MOST_PUT = 7, 2000, 500


class Partners:
    """client: gives that of a service in their account, as boto3 does.  payments: Stripe's double."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._s3, self._kinesis = client("s3"), client("kinesis")
        self.payments = Api(stripe.VENDOR, KEY)
        self._carriers = flights.table("airlines")["carrier"].to_pylist()
        self._boardings: list[dict[str, Any]] = []

    def load(self) -> dict[str, int]:
        """Fills them; the rows of each table."""
        self._s3.create_bucket(Bucket=BUCKET)
        self._kinesis.create_stream(StreamName=STREAM, ShardCount=2)
        for day in range(DAYS):
            self._bill(day)
        self._board(EVENTS)
        for number in range(4 * len(self._carriers)):
            self._customer(number)
        return {name: rows.num_rows for name, rows in self.tables().items()}

    def change(self) -> list[str]:
        """A busy minute; what was done."""
        self._bill(1, more=0.5)
        self._s3.delete_object(Bucket=BUCKET, Key=f"{FOLDER}2.csv")
        self._bill(DAYS)
        self._board(300)
        customers, charges = self.payments.rows["customers"], self.payments.rows["charges"]
        self._customer(len(customers))
        del customers[3:7]
        for charge in charges[::10]:
            charge["refunded"] = True
        return [
            "a day of fuel bills corrected, one taken back, one added; 300 boardings",
            f"{len(charges[::10])} charges refunded, 4 customers deleted, 1 new with 5 charges",
        ]

    def tables(self) -> dict[str, pa.Table]:
        """What each has now, asked at the source."""
        keys = [found["Key"] for found in self._s3.list_objects_v2(Bucket=BUCKET, Prefix=FOLDER)["Contents"]]
        lines = [line for key in keys for line in self._s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().split()[1:]]
        deliveries = [dict(zip(("carrier", "litres"), line.split(","), strict=True)) for line in lines]
        rows = self.payments.rows
        return {
            "deliveries": pa.Table.from_pylist(deliveries),
            "boardings": pa.Table.from_pylist(self._boardings),
            "customers": pa.Table.from_pylist([{"id": row["id"], "carrier": row["description"]} for row in rows["customers"]]),
            "charges": pa.Table.from_pylist(
                [{name: row[name] for name in ("customer", "amount", "refunded")} for row in rows["charges"]]
            ),
        }

    def _bill(self, day: int, more: float = 0) -> None:
        lines = [f"{carrier},{1000 * day + 10 * number + 0.5 + more}" for number, carrier in enumerate(self._carriers)]
        self._s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}{day}.csv", Body="\n".join(["carrier,litres", *lines]).encode())

    def _board(self, count: int) -> None:
        new = [{"carrier": self._carriers[number % len(self._carriers)], "passengers": 50 + number % 90} for number in range(count)]
        for first in range(0, count, MOST_PUT):
            records = [{"Data": json.dumps(one).encode(), "PartitionKey": one["carrier"]} for one in new[first : first + MOST_PUT]]
            self._kinesis.put_records(StreamName=STREAM, Records=records)
        self._boardings += new

    def _customer(self, number: int) -> None:
        """With five charges."""
        at, rows = datetime.now(UTC), self.payments.rows
        customer = stripe.record("customers", number, at) | {"description": self._carriers[number % len(self._carriers)]}
        rows["customers"].append(customer)
        for one in range(5 * number, 5 * number + 5):
            rows["charges"].append(stripe.record("charges", one, at) | {"customer": customer["id"], "refunded": False})
