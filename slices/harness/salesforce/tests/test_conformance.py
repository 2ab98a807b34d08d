"""The slice does what every harness slice does, as far as it declares it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from doubles.salesforce import SalesforceServer
from doubles.salesforce.oauth import Credentials, make_credentials
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import SchemaColumn
from slices.harness.salesforce.tests.under_test import Target, renamed
from tests.conformance import hostile
from tests.conformance.fixtures import Cloud
from tests.conformance.harness import CARRIERS, HarnessConformance, Limits, Rows, Way, columns

UNNAMEABLE = frozenset(n for n in (*hostile.NAMES, *hostile.ours()) if not re.fullmatch(r"[a-z]\w*", n, re.ASCII))
DESCRIBED = {"float": "double", "decimal(18,2)": "double", "decimal(38,0)": "double", "timestamp": "timestamptz"}
DESCRIBED |= dict.fromkeys(("uuid", "binary", "list<int>", "list<string>"), "string")
EXTREME_COLUMNS = columns(id="double", b="boolean", i="int", d="double", s="string", day="date", t="time", tz="timestamptz")
EXTREMES: Rows = [  # a checkbox is never null, and an empty text is
    {"id": 1, "b": True, "i": 2**31 - 1, "d": 99999999999999.75},
    {"id": 2, "b": False, "i": -(2**31), "d": -99999999999999.75},
    {"id": 3, "b": False, "day": date(1700, 1, 1), "tz": datetime(1700, 1, 1, tzinfo=UTC)},
    {"id": 4, "b": False, "s": "\\N", "day": date(4000, 12, 31), "tz": datetime(4000, 12, 31, 23, 59, 59, tzinfo=UTC)},
    {"id": 5, "b": False, "s": "a\"b,c\r\n\\.\n\t'NULL' “Ünï😀”", "t": time(23, 59, 59, 999000)},
    {"id": 6, "b": False, "s": "#N/A", "tz": datetime(2026, 3, 29, 2, 30, tzinfo=UTC)},
    {"id": 7, "b": False},
]


@pytest.fixture(scope="session")
def credentials() -> Credentials:
    """A pair of keys is dear to make."""
    return make_credentials()


@pytest.fixture
def target(credentials: Credentials) -> Iterator[Target]:
    with SalesforceServer(credentials=credentials) as server:
        yield Target(server)


@dataclasses.dataclass
class Renamed(Way):
    """A way whose column `id` is called otherwise in Salesforce, which has an Id of its own."""

    def put_result(self, rows: Rows, *, files: int = 1, interval: Interval | None = None, aside: int = 0) -> Interval:
        given = [{renamed(name): value for name, value in row.items()} for row in rows]
        return super().put_result(given, files=files, interval=interval, aside=aside)


class TestConformance(HarnessConformance):
    """The object has the columns of the result: Atoll makes none in Salesforce."""

    limits = Limits(
        cut=True, described=DESCRIBED, infinity=False, names=UNNAMEABLE, extremes=(EXTREME_COLUMNS, EXTREMES), own=frozenset({"id"})
    )

    def way(self, cloud: Cloud, target: Any, shape: Sequence[SchemaColumn] = CARRIERS, **more: Any) -> Way:
        key = more.get("key", ("carrier",))
        target.shape = tuple(shape)
        target.needed(shape, key)
        more["key"] = tuple(map(renamed, key))
        made = super().way(cloud, target, [dataclasses.replace(one, name=renamed(one.name)) for one in shape], **more)
        return Renamed(**{field.name: getattr(made, field.name) for field in dataclasses.fields(made)})
