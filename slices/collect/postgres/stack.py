"""The stack CollectPostgresSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.operations import FIVE_MINUTES, alarm
from infra.settings import Settings
from infra.sql_source_stack import SqlSourceStack
from shared_metadata.program import Program
from slices.collect.postgres.config import read_config
from slices.collect.postgres.slice import RETAINED_LOG, SLICE
from slices.collect.postgres.workflow import workflow


class SliceStack(SqlSourceStack):
    """plan ▸ extract* ▸ commit; and, where tables are captured, an alarm before their sources' disks suffer."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, **stack_settings)
        captured = {flow.connection for flow in program.flows.values() if flow.slice_id == SLICE.id and flow.capture}
        if not captured:
            return
        most_gb = min(read_config(program.connections[name]).max_log_gb for name in captured)
        retained = cloudwatch.Metric(
            namespace="Atoll",
            metric_name=RETAINED_LOG,
            dimensions_map={"service": SLICE.id},
            statistic="Maximum",
            period=FIVE_MINUTES,
        )
        said = f"A source keeps half of the {most_gb} GB of log at which a captured table is copied anew: do its batches run?"
        alarm(self, "LogRetained", retained, said, threshold=most_gb * 2**30 / 2)
