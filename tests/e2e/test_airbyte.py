"""A manifest with code of its own in a project's folder, deployed: airbyte-cdk reads it in the function, in a process of its own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from console.target import Target, open_target
from infra.embedded import EmbeddedAws, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from shared_metadata.program.intervals import to_text
from slices.registry import installed
from tests.e2e.one_program import execute, reads_one_secret, run, store_secret
from tests.systems.rest.airbyte.kit import installed as kit
from tests.systems.rest.airbyte.under_test import CodedUnderTest
from tests.systems.rest.things import TOKEN, Things

pytestmark = [
    pytest.mark.xdist_group("alone"),
    pytest.mark.timeout(1500),
    pytest.mark.budget(400),
    pytest.mark.deep,
    pytest.mark.nightly,
]
BIN = Path(sys.executable).parent
CODED, WHOLE = "lake.coded.things", "lake.whole.things"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def things(own_aws: EmbeddedAws) -> Iterator[CodedUnderTest]:
    requirements, _ = kit()
    api = Things()
    yield CodedUnderTest(api, own_aws.folders.home.parent, requirements.read_text())
    api.close()


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws, things: CodedUnderTest) -> Iterator[Target]:
    """The account of a project with the folder, and 250 things."""
    project = own_aws.folders.home.parent
    table = things.create_table({"label": "string", "number": "double"})
    things.put(table, [{"label": f"row {number}", "number": 1.5} for number in range(250)], LONG_AGO)
    text = Path(__file__).with_name("airbyte.sql").read_text()
    (project / "program.sql").write_text(text)
    (project / "cdk.json").write_text(json.dumps({"app": str(BIN / "atoll-app"), "context": {"program": "program.sql"}}))
    store_secret(own_aws, "things", dict(things.secret))
    bootstrap(own_aws)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        installed.cache_clear()
        options = ["--require-approval", "never", "--output", str(own_aws.folders.home / "cdk.out")]
        cdk(own_aws, ["deploy", "CollectThingsSlice", *options], folder=project)
        found = open_target("local")
        program = compile_program({"program.sql": text}, installed())
        found.writer.put_program(program)
        found.writer.activate(program, former_version="")
        yield found
    installed.cache_clear()


@pytest.mark.parametrize("flow", [CODED, WHOLE])
def test_all_rows_are_collected_at_first(target: Target, things: CodedUnderTest, flow: str) -> None:
    run(target, "collect.things", flow)
    found = rows(target, flow)
    assert len(found) == 250 and {row["label"] for row in found} == {f"row {number}" for number in range(250)}


def test_a_batch_of_changes_takes_them_and_nothing_else(target: Target, things: CodedUnderTest) -> None:
    version = target.reader.latest_version(f"{CODED}:staged")
    assert version
    interval = version.interval
    things.put("thing0", [{"label": "row 7", "number": 2.5}], interval.start + timedelta(minutes=5))
    things.put("thing0", [{"label": "later"}], interval.end)
    run(target, "collect.things", CODED, **{"from": to_text(interval.start), "to": to_text(interval.end)})
    assert [(row["label"], row["number"]) for row in rows(target, CODED)] == [("row 7", 2.5)]


def test_a_refused_token_says_which_secret_and_nothing_of_it(target: Target, own_aws: EmbeddedAws, things: CodedUnderTest) -> None:
    store_secret(own_aws, "things", dict(things.refused_secret))
    version = target.reader.latest_version(f"{CODED}:staged")
    assert version
    span = {"from": to_text(version.interval.start), "to": to_text(version.interval.end)}
    ended = execute(target, "collect.things", CODED, **span)
    assert "the secret things" in ended["cause"] and "wrong-but-secret" not in ended["cause"]


@pytest.mark.security
def test_its_functions_read_its_own_secret_alone(target: Target, own_aws: EmbeddedAws) -> None:
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
