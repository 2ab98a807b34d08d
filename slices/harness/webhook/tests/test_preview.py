"""What a dry run shows of requests, beside the requests that are sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles.webhook.application import Application
from doubles.webhook.server import served
from shared_metadata.program import BadRows
from slices.harness.webhook.tests.under_test import KEY, Target
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import CARRIERS, HarnessConformance


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_bodies_are_shown_as_they_are_sent_and_nothing_of_the_secret(cloud: Cloud, tmp_path: Path, form: str) -> None:
    application = Application(key=("carrier",))
    with served(application) as url:
        target = Target(application, url)
        target.options = {**target.options, "format": form}
        way = HarnessConformance().way(cloud, target, CARRIERS)
        interval = way.put_result([{"carrier": name, "flights": 2**60 + 1} for name in ("ÄÄ", "B", "C")])
        shown = way.tried(tmp_path)
        assert not application.requests
        way.run(interval)
    parcels = shown.first_upserts
    assert [parcel.sent[0] for parcel in parcels] == [body.decode() for *_, body in application.requests]
    assert [(parcel.rows, parcel.of) for parcel in parcels] == [(2, 2), (1, 1)]
    for parcel, (_, headers, _) in zip(parcels, application.requests, strict=True):
        assert {name.lower() for name in parcel.about["headers"]} <= {*headers}
    told = str(dataclasses.asdict(shown))
    assert KEY not in told and url not in told and headers["webhook-signature"] not in told


def test_rows_that_were_set_aside_are_to_be_sent_again(cloud: Cloud, tmp_path: Path) -> None:
    application = Application(key=("carrier",), refuses=lambda row: row["carrier"] == "B")
    with served(application) as url:
        way = HarnessConformance().way(cloud, Target(application, url), CARRIERS, bad_rows=BadRows(1))
        way.publish([{"carrier": name, "flights": 1} for name in "ABC"])
        shown = way.tried(tmp_path)
    (parcel,) = shown.first_upserts
    assert (shown.upserts, shown.deletes, shown.unchanged) == (1, 0, 2) and '"carrier":"B"' in parcel.sent[0]
