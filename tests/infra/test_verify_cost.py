"""`make verify-aws` says that it costs less than a dollar: what it deploys and runs, at list prices, with each bound taken high."""

from __future__ import annotations

from collections import Counter
from types import ModuleType
from typing import Any

import pytest

from examples.verify_aws.__main__ import PROGRAM
from examples.verify_aws.database import MOST_CAPACITY
from examples.verify_aws.tried import tried
from infra.network_parameters import ZONES
from infra.settings import Settings
from language import compile_program
from shared_metadata.costs import cost_dollars, prices
from slices.registry import installed
from tests.infra.conftest import synthesise

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.deep, pytest.mark.budget(60)]
HOURS, HOURS_A_MONTH = 0.75, 730
# In us-east-1: an interface in one zone (https://aws.amazon.com/privatelink/pricing/), a unit of Aurora's capacity, a month of the
# 10 GB that it bills at least (https://aws.amazon.com/rds/aurora/pricing/).
ENDPOINT_HOUR, CAPACITY_HOUR, STORAGE_MONTH = 0.01, 0.12, 10 * 0.10
STANDING = {
    "AWS::KMS::Key": "kms_key",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::SecretsManager::Secret": "secret",
}
# What each function's calls of a minute take at most, with a thousand rows; some are called for two flows.
SECONDS_A_MINUTE, MOST_MB = 10, 3_008
A_MINUTE = {
    "lambda_invocation": 1,
    "lambda_arm64_gb_second": SECONDS_A_MINUTE * MOST_MB / 1024,
    "state_transition": 4,
    "dynamodb_read_unit": 40,
    "dynamodb_write_unit": 20,
    "s3_put": 5,
    "s3_get": 20,
    "kms_request": 10,
    "secrets_request": 2,
    "glue_request": 10,
    "xray_trace": 1,
    "athena_mb_scanned": 40,
}
OF_A_BATCH = ("plan", "extract", "load", "refresh", "check", "diff", "publish", "commit")


@pytest.mark.parametrize("slice_id", ["", "organize.athena"])
def test_it_costs_less_than_a_dollar(
    slice_id: str, app_module: ModuleType, environment: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = compile_program({"program.sql": tried(slice_id).program(PROGRAM.read_text(), "shop")}, installed())
    settings = Settings(own_vpc=True, keep_data=False)
    found = synthesise(app_module, program, settings, tmp_path_factory.mktemp("verify")).templates.values()
    resources = [resource for template in found for resource in template["Resources"].values()]
    kinds = Counter(resource["Type"] for resource in resources)
    endpoints = sum(_of(resources, "AWS::EC2::VPCEndpoint", VpcEndpointType="Interface"))
    assert endpoints >= 4 and kinds["AWS::KMS::Key"] == 1 and not kinds["AWS::EC2::NatGateway"], kinds
    monthly = sum(prices()["per_month"][name]["price"] * kinds[kind] for kind, name in STANDING.items()) + STORAGE_MONTH
    monthly += prices()["per_month"]["custom_metric"]["price"] * len(found)
    hourly = endpoints * ZONES * ENDPOINT_HOUR + MOST_CAPACITY * CAPACITY_HOUR + monthly / HOURS_A_MONTH
    steps = [r["Properties"]["FunctionName"] for r in resources if r["Type"] == "AWS::Lambda::Function"]
    busy = sum(1 for name in steps if str(name).rpartition("-")[2] in OF_A_BATCH)
    assert busy >= 12
    running = cost_dollars({kind: number * busy * 60 * HOURS for kind, number in A_MINUTE.items()})
    assert hourly * HOURS + running < 1, (hourly * HOURS, running)


def _of(resources: list[dict[str, Any]], kind: str, **properties: str) -> list[bool]:
    return [r["Type"] == kind and properties.items() <= r["Properties"].items() for r in resources]
