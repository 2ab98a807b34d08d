"""The stack HarnessS3Slice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.functions import AtollFunction
from infra.settings import Settings
from infra.target_stack import TargetStack
from shared_metadata.contract import made_for
from shared_metadata.program import Program
from slices.harness.s3.config import Config, read_config
from slices.harness.s3.slice import SLICE
from slices.harness.s3.workflow import workflow

FILES = "the files and manifests below the prefix that a connection of the program names"
READ, WRITE = ["s3:GetObject"], ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]


class SliceStack(TargetStack):
    """plan ▸ diff ▸ publish* ▸ commit. Diff reads manifests, publish writes files and them."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, **stack_settings)
        landed = self.landed(memory_mb=256)
        for name in made_for.connections(SLICE, program):
            config = read_config(program.connections[name])
            self._reach(self.diff, READ, ["kms:Decrypt"], config)
            self._reach(landed, READ, ["kms:Decrypt"], config)
            self._reach(self.publish, WRITE, ["kms:Decrypt", "kms:GenerateDataKey"], config)
        self.finish(workflow)

    def _reach(self, step: AtollFunction, actions: list[str], on_key: list[str], config: Config) -> None:
        bucket = f"arn:{self.partition}:s3:::{config.bucket}"
        step.allow(actions, [f"{bucket}/{config.prefix}*"], FILES)
        below = {"StringLike": {"s3:prefix": f"{config.prefix}*"}}
        step.role.add_to_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket], conditions=below))
        if config.kms_key:
            via = {"StringEquals": {"kms:ViaService": f"s3.{config.kms_key.split(':')[3]}.amazonaws.com"}}
            step.role.add_to_policy(iam.PolicyStatement(actions=on_key, resources=[config.kms_key], conditions=via))
