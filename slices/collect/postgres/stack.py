"""The stack CollectPostgresSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.operations import FIVE_MINUTES, alarm
from infra.settings import Settings
from infra.sql_source_stack import SqlSourceStack
from shared_metadata.program import Program
from slices.collect.postgres.slice import RETAINED_SHARE, SLICE
from slices.collect.postgres.workflow import workflow


class SliceStack(SqlSourceStack):
    """plan ▸ extract* ▸ commit; and an alarm before a source's disk suffers, for the log that it keeps of captured tables."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, **stack_settings)
        retained = cloudwatch.Metric(
            namespace="Atoll",
            metric_name=RETAINED_SHARE,
            dimensions_map={"service": SLICE.id},
            statistic="Maximum",
            period=FIVE_MINUTES,
        )
        said = "A source keeps half of the log (max_log_gb) at which a captured table is copied anew: do its batches run?"
        alarm(self, "LogRetained", retained, said, threshold=50)
