"""A folder with a manifest and no code is deployed, and collects from a double of GitHub's API, in an empty account."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from console.run import wait_for
from console.target import Target, open_target
from doubles.rest_api import Api, served
from doubles.rest_api import github as vendor
from infra.embedded import EmbeddedAws, bootstrap, cdk
from infra.settings import Settings
from language import compile_program
from shared_metadata import naming
from shared_metadata.program.intervals import to_text
from slices.registry import installed
from tests.e2e import one_program

pytestmark = [pytest.mark.xdist_group("alone"), pytest.mark.timeout(600), pytest.mark.budget(200), pytest.mark.deep]
TOKEN = "github_pat_hidden"
LONG_AGO = "2026-01-01T00:00:00Z"


def issue(number: int, repository: int, **more: Any) -> dict[str, Any]:
    said = {"title": f'issue {number}; it\'s "new"', "state": "open", "labels": [{"name": "bug"}], "user": {"login": "ada"}}
    return {"id": repository * 10_000 + number, "number": number, "created_at": LONG_AGO, "updated_at": LONG_AGO, **said, **more}


@pytest.fixture(scope="module")
def github() -> Api:
    found = Api(vendor.VENDOR, TOKEN)
    for number, name in enumerate(("acme/shop", "acme/site"), 1):
        issues = [issue(one, number) for one in range(250 if number == 1 else 3)]
        labels = [{"id": number, "name": "bug", "color": "red", "default": True}]
        found.rows |= {f"{name}/issues": issues, f"{name}/labels": labels}
    found.coming += [vendor.VENDOR.limited(1), vendor.primary(), vendor.BUSY]
    return found


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws, github: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The account, with this one stack asked for, and a program for it."""
    with served(github) as address, pytest.MonkeyPatch.context() as patch:
        program_file = tmp_path_factory.mktemp("github") / "program.sql"
        program_file.write_text(Path(__file__).with_name("github.sql").read_text().replace("ADDRESS", address))
        own_aws.session().client("secretsmanager").create_secret(
            Name=naming.secret("code"), SecretString=json.dumps({"token": TOKEN})
        )
        bootstrap(own_aws)
        options = ["--require-approval", "never", "-c", f"program={program_file}"]
        cdk(own_aws, ["deploy", "CollectGithubSlice", *options, "--output", str(own_aws.folders.home / "cdk.out")])
        patch.chdir(own_aws.folders.home.parent)
        found = open_target("local")
        program = compile_program({"program.sql": program_file.read_text()}, installed())
        found.writer.put_program(program)
        found.writer.activate(program, former_version="")
        yield found


def test_nothing_is_deployed_but_the_slice_and_what_it_stands_on(target: Target) -> None:
    stacks = target.session.client("cloudformation").describe_stacks()["Stacks"]
    names = {"CDKToolkit", *map(Settings().stack_name, (naming.METADATA_STACK, "CollectGithubSlice"))}
    assert {stack["StackName"] for stack in stacks} == names


def test_what_is_due_is_collected_page_by_page_past_every_limit(target: Target, github: Api) -> None:
    _run(target, {})
    rows = _rows(target, "lake.code.issues:staged")
    assert len(rows) == 253 and {row["id"] for row in rows} == {one["id"] for one in _issues(github)}
    assert json.loads(rows[0]["labels"]) == [{"name": "bug"}] and rows[0]["title"].endswith('it\'s "new"')
    assert rows[0]["updated_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    labels = _rows(target, "lake.code.labels:staged")
    assert sorted((row["repository"], row["name"], row["default"]) for row in labels) == [
        ("acme/shop", "bug", True),
        ("acme/site", "bug", True),
    ]
    assert github.coming == []


def test_a_batch_of_changes_asks_for_them_and_takes_nothing_else(target: Target, github: Api) -> None:
    version = target.reader.latest_version("lake.code.issues:staged")
    assert version
    start, end = version.interval.start, version.interval.end
    changed = {"title": "changed", "updated_at": f"{start + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"}
    later = {"title": "later", "updated_at": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    github.rows["acme/shop/issues"][7] |= changed
    github.rows["acme/site/issues"][1] |= later
    github.asked.clear()
    _run(target, {"flow": "lake.code.issues", "from": to_text(start), "to": to_text(end)})
    assert [(row["number"], row["title"]) for row in _rows(target, "lake.code.issues:staged")] == [(7, "changed")]
    since = f"{start - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    assert {asked.one("since", since) for asked in github.asked} == {since}


@pytest.mark.security
def test_the_functions_of_a_manifest_read_no_other_secret(target: Target, own_aws: EmbeddedAws) -> None:
    one_program.store_secret(own_aws, "ops", {"another": "secret"})
    for step in ("plan", "extract", "discover"):
        one_program.reads_one_secret(target, own_aws, naming.function("collect.github", step), "code")


def test_a_refused_token_says_which_secret(target: Target) -> None:
    secrets = target.session.client("secretsmanager")
    secrets.put_secret_value(SecretId=naming.secret("code"), SecretString=json.dumps({"token": "wrong-and-hidden"}))
    version = target.reader.latest_version("lake.code.issues:staged")
    assert version
    span = {"from": to_text(version.interval.start), "to": to_text(version.interval.end)}
    ended = _ended(target, {"flow": "lake.code.issues", **span})
    assert "the secret code" in ended["cause"] and "wrong-and-hidden" not in ended["cause"]


def _run(target: Target, given: Mapping[str, str]) -> None:
    ended = _ended(target, given)
    assert ended["status"] == "SUCCEEDED", ended


def _ended(target: Target, given: Mapping[str, str]) -> Mapping[str, Any]:
    states, machine = target.session.client("stepfunctions"), target.state_machine_arn("collect.github")
    return wait_for(target, states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])


def _rows(target: Target, dataset: str) -> list[dict[str, Any]]:
    """What its latest version has staged."""
    version = target.reader.latest_version(dataset)
    assert version
    s3, bucket = target.session.client("s3"), naming.data_bucket(target.account, target.region)
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=version.pointer["manifest"])["Body"].read())
    bodies = (s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read() for file in manifest["files"])
    return [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]


def _issues(github: Api) -> list[dict[str, Any]]:
    return [one for key, rows in github.rows.items() if key.endswith("/issues") for one in rows]
