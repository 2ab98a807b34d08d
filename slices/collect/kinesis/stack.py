"""The stack CollectKinesisSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import slice_stack
from infra.functions import AtollFunction
from infra.settings import Settings
from shared_metadata.contract import made_for
from shared_metadata.program import Program
from slices.collect.kinesis.config import Config, read_config
from slices.collect.kinesis.slice import SLICE
from slices.collect.kinesis.workflow import workflow

READ_STREAM = ["kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]


class SliceStack(slice_stack.SliceStack):
    """plan ▸ extract* ▸ commit. Plan reads a little of each shard, to find where a batch ends in it."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, **stack_settings)
        plan = self.step("plan", memory_mb=512, timeout_seconds=900, data=True)
        extract = self.step("extract", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=1024)
        commit = self.step("commit", memory_mb=256, timeout_seconds=300, data=False)
        for step in (plan, extract, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        extract.read_secrets(self.mask_keys)
        discover = self.discover(data=True)
        for step in (plan, extract, discover):
            self._read(step)
        self.finish(workflow)

    def _places(self) -> list[Config]:
        """What the connections of the slice's flows name."""
        return [read_config(self.program.connections[name]) for name in made_for.connections(SLICE, self.program)]

    def _read(self, step: AtollFunction) -> None:
        for config in self._places():
            step.allow(READ_STREAM, sorted(config.arns.values()))
            if config.kms_key:
                region = config.kms_key.split(":")[3]
                via = {"StringEquals": {"kms:ViaService": f"kinesis.{region}.amazonaws.com"}}
                step.role.add_to_policy(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[config.kms_key], conditions=via))
