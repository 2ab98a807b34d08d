"""A Glue database that somebody else made: the command that gives it to a schema keeps all that is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import boto3
import pytest

from shared_metadata.store.table_actions import ERROR_CHARACTERS
from systems.iceberg.ownership import TOLD_ONLY, _give

THERE = {
    "Name": "lake_ops",
    "Description": "somebody's",
    "LocationUri": "s3://b/p",
    "Parameters": {"team": "data"},
    "CreateTableDefaultPermissions": [
        {"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}
    ],
}


def test_it_leaves_out_exactly_what_glue_tells_of_a_database_and_does_not_take() -> None:
    model = boto3.client("glue", region_name="eu-central-1").meta.service_model
    told, taken = (set(model.shape_for(shape).members) for shape in ("Database", "DatabaseInput"))  # type: ignore[attr-defined]
    assert told - taken == set(TOLD_ONLY)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not there")
def test_what_it_sends_is_what_is_there_with_the_mark() -> None:
    found = re.search(r"jq '(.*)'", _give("lake_ops", "lake.ops"))
    assert found
    text = json.dumps({"Database": {**THERE, "CatalogId": "1", "CreateTime": "2026-01-01"}})
    sent = subprocess.run(["jq", found[1]], input=text, capture_output=True, text=True, check=True).stdout
    assert json.loads(sent) == {**THERE, "Parameters": {"team": "data", "atoll": "lake.ops"}}


def test_a_batchs_recorded_error_has_room_for_it() -> None:
    assert len(_give("warehouse_some_schema", "warehouse.some_schema")) < ERROR_CHARACTERS - 200
