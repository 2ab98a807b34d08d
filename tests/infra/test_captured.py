"""What a program that captures tables has deployed: an alarm before their sources' disks suffer."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings import Settings
from language import compile_program
from slices.registry import installed
from tests.infra.conftest import synthesise

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.budget(120), pytest.mark.deep]
PROGRAM = """
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops', max_log_gb = 8);
INSERT INTO lake.ops FROM ops.public TABLES (bookings) EVERY '5 minutes' MERGE ON (id) CAPTURE;
"""


def test_the_log_that_a_source_keeps_has_an_alarm(
    app_module: Any, environment: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = compile_program({"program.sql": PROGRAM}, installed())
    templates = synthesise(app_module, program, Settings(), tmp_path_factory.mktemp("captured")).templates
    resources = templates["CollectPostgresSlice"]["Resources"].values()
    alarms = {r["Properties"]["MetricName"]: r["Properties"] for r in resources if r["Type"] == "AWS::CloudWatch::Alarm"}
    assert sorted(alarms) == ["ExecutionsFailed", "RetainedLogBytes"]
    assert alarms["RetainedLogBytes"]["Threshold"] == 4 * 2**30
    assert alarms["RetainedLogBytes"]["Dimensions"] == [{"Name": "service", "Value": "collect.postgres"}]
