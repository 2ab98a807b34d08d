"""Functions in Python, as a user has them: code in a project's folder, deployed, called by batches, and wrong in two ways."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.target import Target, open_target
from infra.bundling import LOCK
from infra.embedded import EmbeddedAws, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from slices.registry import installed
from tests.e2e.one_program import as_function, refusal, refused, run, shop
from tests.e2e.same_rows import scanned

pytestmark = [pytest.mark.xdist_group("alone"), pytest.mark.timeout(1500), pytest.mark.budget(400), pytest.mark.deep]
SLICE = "organize.pyfunctions"
CODE = """
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import six

FROM_ITS_REQUIREMENTS = "apart" in six.__file__


def risk(rows: pa.Table) -> pa.Table:
    assert FROM_ITS_REQUIREMENTS
    found = rows.group_by("carrier").aggregate([("delay", "mean")])
    return pa.table({"risk": pc.divide(found["delay_mean"], 10.0), "carrier": found["carrier"]})


def ranked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        ranks = pc.rank(batch["risk"], "descending")
        yield pa.record_batch({"carrier": batch["carrier"], "rank": ranks})


def broken(rows):
    print("a line of its log")
    raise ValueError(f"hidden-value {rows['carrier'][0]}")


def mistyped(rows):
    return rows
"""

LINE = CODE.partition("raise")[0].count("\n") + 1


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws) -> Iterator[Target]:
    """The account of a project with this program and its code, whose tables are loaded."""
    project = own_aws.folders.home.parent
    (project / "models").mkdir()
    (project / "models" / "delay.py").write_text(CODE)
    locked = re.search(r"^six==.*?(?=^\S)", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    assert locked
    (project / "models" / "requirements.txt").write_text(locked[0])
    text = Path(__file__).with_name("functions.sql").read_text()
    (project / "program.sql").write_text(text)
    app = str(Path(sys.executable).with_name("atoll-app"))
    (project / "cdk.json").write_text(json.dumps({"app": app, "context": {"program": "program.sql"}}))
    shop(own_aws)
    bootstrap(own_aws)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        for name, value in own_aws.environment().items():  # for what reads files of tables
            patch.setenv(name, value)
        options = ["--require-approval", "never", "--output", str(own_aws.folders.home / "cdk.out")]
        cdk(own_aws, ["deploy", "CollectPostgresSlice", "OrganizeIcebergSlice", "OrganizePythonSlice", *options], folder=project)
        found = open_target("local")
        program = compile_program({"program.sql": text}, installed())
        found.writer.put_program(program)
        found.writer.activate(program, former_version="")
        run(found, "collect.postgres", "lake.ops.flights")
        run(found, "organize.iceberg", "lake.ops.flights:load")
        yield found


def test_a_view_has_what_functions_make_of_its_rows(target: Target) -> None:
    run(target, SLICE, "lake.ml.risks")
    found = scanned(target.session.client("glue"), "ml", "risks").to_pylist()
    assert [(row["carrier"], row["rank"], row["risk"], row["flights"]) for row in found] == [("AA", 1, 0.2, 2)]
    told = target.reader.statistics("lake.ml.risks", 1)[0]
    assert [one["rows"] for one in told["statements"]] == [2, 2, 2]
    assert all(one["used"]["lambda_arm64_gb_second"] > 0 for one in told["statements"])
    aside = scanned(target.session.client("glue"), "ml", "risks__rejected").to_pylist()
    assert [json.loads(row["data"])["carrier"] for row in aside] == ["XX"]


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("lake.ml.broken", rf"broken: models/delay\.py:broken raised ValueError at models/delay\.py:{LINE}\b"),
        ("lake.ml.mistyped", r"mistyped: models/delay\.py:mistyped gave string in carrier, which is int"),
    ],
)
def test_what_code_does_wrong_is_told_by_its_place_and_by_no_value(target: Target, view: str, said: str) -> None:
    error = refusal(target, SLICE, view)
    assert re.search(said, error) and "hidden-value" not in error, error


def test_a_log_has_what_the_code_says_and_its_traceback(target: Target) -> None:
    group = f"/aws/lambda/{naming.function(SLICE, 'call-broken')}"
    said = "\n".join(event["message"] for event in target.session.client("logs").filter_log_events(logGroupName=group)["events"])
    assert "a line of its log" in said and "Traceback" in said


def test_a_function_reads_what_it_is_given_and_writes_what_it_gives_and_nothing_else(target: Target, own_aws: EmbeddedAws) -> None:
    bucket = naming.data_bucket(own_aws.account, own_aws.region)
    pages = target.session.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
    s3 = as_function(target, own_aws, naming.function(SLICE, "call-ranked"), "s3")
    (given,) = (key for key in keys if "/ranked-" in key and "/in/" in key)
    assert s3.get_object(Bucket=bucket, Key=given)["Body"].read()
    (answer,) = (key for key in keys if "/ranked-" in key and key.endswith("/answer.json"))
    s3.put_object(Bucket=bucket, Key=answer.replace("answer.json", "probe"), Body=b"probe")
    others = [key for key in keys if "/ranked-" not in key]
    assert any("/risk-1/in/" in key for key in others) and any(key.startswith("warehouse/") for key in others)
    refused(*(lambda key=key: s3.get_object(Bucket=bucket, Key=key) for key in others))  # type: ignore[misc]
    refused(*(lambda key=key: s3.put_object(Bucket=bucket, Key=f"{key}-probe", Body=b"probe") for key in (*others, given)))  # type: ignore[misc]
