"""Who comes back after two hours: the airline is at work again at once, makes as one what can be, and ends where its sources are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from benchmarks.coming_back import come_back
from examples.airline import crm
from examples.airline.demo import Demo
from tests.background import fresh_aws
from tests.command import atoll
from tests.e2e.same_rows import lake_rows
from tests.e2e.test_airline import Deployed

pytestmark = [
    pytest.mark.xdist_group("alone"),
    pytest.mark.timeout(2400),
    pytest.mark.budget(600),
    pytest.mark.deep,
    pytest.mark.nightly,
]
AWAY = timedelta(minutes=130)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    with fresh_aws() as stack:
        try:
            yield Deployed(Demo(stack, tmp_path))
        finally:
            crm.down(tmp_path)


def test_what_was_missed_is_made_as_one_and_what_is_published_is_what_the_sources_say(deployed: Deployed) -> None:
    since = deployed.watermark("lake.ops.flight_log", "lake.ops.flight_log") - AWAY
    found = come_back(deployed.demo, deployed.program, AWAY)
    assert found.complete, f"{found} has not caught up"
    assert 0 < found.covers <= found.complete and 0 < found.moves <= found.complete and found.most_covered > 100
    assert max(found.batches.values()) < 10 < found.missed, found.batches
    assert deployed.differences() == []
    with psycopg.connect(deployed.demo.dsn) as connection:
        (changed,) = connection.execute("SELECT count(*) FROM flights WHERE updated_at >= %s", (since,)).fetchone() or (0,)
    logged = lake_rows(deployed.demo.stack, "ops", "flight_log").column("changed_flights").to_pylist()
    assert changed and sum(logged) == changed
    covers = re.findall(r"covers ([\d,]+) batches", atoll(deployed.demo.stack, "status", "lake.ops.flights"))
    assert covers and int(covers[0].replace(",", "")) > 100
