"""Taps in a project's folders, deployed: one that is a file, in its function, and one of PyPI's packages, as a task of Fargate."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from console.target import Target, open_target
from infra.embedded import EmbeddedAws, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from shared_metadata.program.intervals import to_text
from slices.registry import installed
from tests.e2e.one_program import execute, reads_one_secret, run, store_secret
from tests.systems.rest.things import TOKEN
from tests.systems.singer.under_test import TappedThings, TapUnderTest

pytestmark = [
    pytest.mark.xdist_group("alone"),
    pytest.mark.timeout(1500),
    pytest.mark.budget(400),
    pytest.mark.deep,
    pytest.mark.nightly,
]
BIN = Path(sys.executable).parent
OWN, THEIRS = "lake.own.things", "lake.theirs.things"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
# Of Meltano's kit, under Apache-2.0; `fs`, which it imports, needs what setuptools brought until its version 81.
PACKAGES = "tap-rest-api-msdk==1.4.2\nsetuptools==80.9.0\n"
STREAM = {"name": "thing0", "path": "/thing0", "records_path": "$.data[*]", "primary_keys": ["id"], "replication_key": "updated"}
ASKED = {"source_search_field": "from", "source_search_query": "$last_run_date", "start_date": "1970-01-01T00:00:00Z"}
RESTFUL = {
    "run": "tap-rest-api-msdk",
    "secret": ["bearer_token"],
    "source": ["atomicwrites"],
    "options": {"api_url": "string"},
    "config": {
        "auth_method": "bearer_token",
        "next_page_token_path": "$.next",
        "pagination_next_page_param": "after",
        "pagination_response_style": "page",
        "streams": [{**STREAM, **ASKED}],
    },
    "tables": {"thing0": {"types": {"updated": "date-time"}}},  # the tap makes its schema of a sample: a text
}


@pytest.fixture(scope="module")
def things(own_aws: EmbeddedAws) -> Iterator[TapUnderTest]:
    api = TappedThings()
    yield TapUnderTest(api, own_aws.folders.home.parent)
    api.close()


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws, things: TapUnderTest) -> Iterator[Target]:
    """The account of a project with both folders, and 250 things."""
    project = own_aws.folders.home.parent
    table = things.create_table({"label": "string", "number": "double"})
    things.put(table, [{"label": f"row {number}", "number": 1.5} for number in range(250)], LONG_AGO)
    theirs = things.folder.with_name("restful")
    theirs.mkdir()
    (theirs / "tap.yaml").write_text(yaml.safe_dump(RESTFUL))
    (project / "tap.in").write_text(PACKAGES)
    locked = ["--quiet", "--generate-hashes", "--output-file", str(theirs / "requirements.txt"), str(project / "tap.in")]
    subprocess.run([str(BIN / "uv"), "pip", "compile", "--python", sys.executable, *locked], check=True)
    text = (Path(__file__).with_name("singer.sql")).read_text().replace("ADDRESS", things.things.url)
    (project / "program.sql").write_text(text)
    (project / "cdk.json").write_text(json.dumps({"app": str(BIN / "atoll-app"), "context": {"program": "program.sql"}}))
    store_secret(own_aws, "things", dict(things.secret))
    store_secret(own_aws, "restful", {"bearer_token": TOKEN})
    bootstrap(own_aws)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        installed.cache_clear()
        options = ["--require-approval", "never", "--output", str(own_aws.folders.home / "cdk.out")]
        cdk(own_aws, ["deploy", "CollectThingsSlice", "CollectRestfulSlice", *options], folder=project)
        found = open_target("local")
        program = compile_program({"program.sql": text}, installed())
        found.writer.put_program(program)
        found.writer.activate(program, former_version="")
        yield found
    installed.cache_clear()


@pytest.mark.parametrize(("slice_id", "flow"), [("collect.things", OWN), ("collect.restful", THEIRS)])
def test_a_tap_collects_in_its_function_and_as_a_task(target: Target, things: TapUnderTest, slice_id: str, flow: str) -> None:
    run(target, slice_id, flow)
    found = rows(target, flow)
    assert len(found) == 250 and {(row["number"], row["updated"]) for row in found} == {(1.5, LONG_AGO)}
    (told,) = target.reader.statistics(flow, 1)
    assert told.get("engine") == ("Fargate task" if flow == THEIRS else None)


def test_a_batch_of_changes_takes_them_and_nothing_else(target: Target, things: TapUnderTest) -> None:
    version = target.reader.latest_version(f"{THEIRS}:staged")
    assert version
    interval = version.interval
    things.put("thing0", [{"label": "row 7", "number": 2.5}], interval.start + timedelta(minutes=5))
    things.put("thing0", [{"label": "later"}], interval.end)
    run(target, "collect.restful", THEIRS, **{"from": to_text(interval.start), "to": to_text(interval.end)})
    assert [(row["label"], row["number"]) for row in rows(target, THEIRS)] == [("row 7", 2.5)]


def test_a_refused_token_says_which_secret_and_nothing_of_it(target: Target, own_aws: EmbeddedAws, things: TapUnderTest) -> None:
    store_secret(own_aws, "things", dict(things.refused_secret))
    version = target.reader.latest_version(f"{OWN}:staged")
    assert version
    span = {"from": to_text(version.interval.start), "to": to_text(version.interval.end)}
    ended = execute(target, "collect.things", OWN, **span)
    assert "the secret things" in ended["cause"] and "wrong-but-secret" not in ended["cause"]


def test_a_taps_functions_read_its_own_secret_alone(target: Target, own_aws: EmbeddedAws) -> None:
    store_secret(own_aws, "ops", {"another": "source's"})
    for step in ("plan", "extract", "discover"):
        reads_one_secret(target, own_aws, naming.function("collect.things", step), "things")


def test_no_log_has_a_row_or_a_secret(target: Target) -> None:
    logs = target.session.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    said = "\n".join(event["message"] for group in groups for event in logs.filter_log_events(logGroupName=group).get("events", ()))
    assert "hidden-row" not in said and TOKEN not in said and "row 7" not in said


def rows(target: Target, flow: str) -> list[dict[str, Any]]:
    """What its latest version has staged."""
    version = target.reader.latest_version(f"{flow}:staged")
    assert version
    s3, bucket = target.session.client("s3"), naming.data_bucket(target.account, target.region)
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=version.pointer["manifest"])["Body"].read())
    bodies = (s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read() for file in manifest["files"])
    return [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]
