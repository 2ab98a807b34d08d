"""`atoll publish --dry-run`: what the next batch of a publication would send, and what is said where nothing is to be sent."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from doubles.webhook.application import Application
from slices.harness.webhook.tests.under_test import Target
from slices.registry import installed
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, Way, columns
from tests.console.conftest import Atoll

TOLD = """hook.carriers: the result of the batch [{start}, {end}), 2 rows
  2 rows to write, 0 to delete, 0 unchanged
To write, the first 1 of 2 rows:
  method: POST
  headers: User-Agent, Content-Type, webhook-id, webhook-timestamp
  from the secret target: the address, webhook-signature where there is a `key`, and a `header` of its own
  {{"dataset":"hook.carriers","batch":"{start}","upserts":[{{"carrier":"AA\\u001B","flights":1}}],"deletes":[]}}
"""


@pytest.fixture
def cloud(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def way(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Way:
    """A publication to an application that does not listen: a dry run does not ask it."""
    account = SimpleNamespace(reader=cloud.reader, session=cloud.session, account="1", region="r", environment=nullcontext)
    monkeypatch.setattr("console.publish.open_target", lambda _: account)
    monkeypatch.setattr("shared_metadata.naming.data_bucket", lambda *_: cloud.bucket)
    target = Target(Application(), "http://127.0.0.1:1")
    return HarnessConformance().way(cloud, target, columns(carrier="string", flights="long"))


def test_rows_are_shown_as_they_would_be_sent(atoll: Atoll, way: Way) -> None:
    interval = way.put_result([{"carrier": "AA\x1b", "flights": 1}, {"carrier": "UA", "flights": 2}])
    start, end = str(interval)[1:-1].split(", ")
    shown = atoll("publish", "hook.carriers", "--dry-run", "--limit", "1")
    assert shown.exit_code == 0 and shown.stdout == TOLD.format(start=start, end=end)
    told = json.loads(atoll("publish", "hook.carriers", "--dry-run", "--json").stdout)
    assert told["result"] == {"start": start, "end": end, "rows": 2} and (told["compared"], told["published"]) == (True, False)
    (parcel,) = told["first"]["upserts"]
    assert [row["carrier"] for row in json.loads(parcel["sent"][0])["upserts"]] == ["AA\x1b", "UA"]


def test_of_results_that_add_up_the_first_that_waits_is_shown(atoll: Atoll, way: Way) -> None:
    way = HarnessConformance().way(way.cloud, way.target, way.columns, whole=False)
    first = way.put_result([{"carrier": "AA", "flights": 1}])
    way.put_result([{"carrier": "UA", "flights": 2}])
    shown = atoll("publish", "hook.carriers", "--dry-run").stdout
    assert shown.startswith(f"hook.carriers: the result of the batch {first}, the first of 2 that wait, 1 row\n") and '"AA"' in shown


def test_what_is_published_is_not_sent_again(atoll: Atoll, way: Way) -> None:
    interval = way.put_result([])
    way.run(interval)
    shown = atoll("publish", "hook.carriers", "--dry-run").stdout
    assert f"  0 rows to write, 0 to delete, 0 unchanged\n  the batch {interval} has published it\n" in shown


def test_where_a_slice_does_not_tell_the_result_is_shown(atoll: Atoll, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {**installed(), "harness.webhook": dataclasses.replace(installed()["harness.webhook"], previews="")}
    monkeypatch.setattr("slices.registry.installed", lambda: plain)
    way.put_result([{"carrier": "AA", "flights": 1}])
    shown = atoll("publish", "hook.carriers", "--dry-run").stdout
    assert "  1 row to write\n  all rows of the result, compared with nothing: " in shown
    assert shown.endswith('  columns: carrier string, flights long\n  {"carrier":"AA","flights":1}\n')


def test_before_the_first_result_it_tells_what_comes_next(atoll: Atoll, way: Way) -> None:
    shown = atoll("publish", "hook.carriers", "--dry-run")
    assert shown.exit_code == 0 and shown.stdout.startswith("No result of hook.carriers was made yet: hook.carriers:result ")
    assert "atoll run hook.carriers:result" in shown.stdout
    told: dict[str, Any] = json.loads(atoll("publish", "hook.carriers", "--dry-run", "--json").stdout)
    assert told["result"] is None and told["why"] in shown.stdout


def test_a_publication_that_there_is_not_names_the_nearest(atoll: Atoll, way: Way) -> None:
    shown = atoll("publish", "hook.carrier", "--dry-run")
    assert shown.exit_code == 1 and "did you mean `hook.carriers`?" in shown.stderr


def test_without_a_dry_run_it_tells_what_publishes(atoll: Atoll) -> None:
    shown = atoll("publish", "hook.carriers")
    assert shown.exit_code == 2 and "`atoll run hook.carriers` publishes what is due" in shown.stderr
