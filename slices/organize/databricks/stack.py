"""The stack OrganizeDatabricksSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import slice_stack
from infra.acknowledge import acknowledge_resources
from infra.functions import READ_OBJECTS, WRITE_OBJECTS
from infra.settings import Settings
from shared_metadata.contract import made_for
from shared_metadata.program import Program
from slices.organize.databricks import named
from slices.organize.databricks.config import Config
from slices.organize.databricks.slice import SLICE
from slices.organize.databricks.workflow import workflow

STAGED = "what the collect slices of this program staged, whose keys hold batches and tokens"
STEPS = {"load": 512, "refresh": 512, "check": 512, "commit": 512}


class SliceStack(slice_stack.SliceStack):
    """plan ▸ load | refresh ▸ check ▸ commit, and landed; functions ask Databricks by HTTPS, and none waits for long."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, reaches_internet=True, **stack_settings)
        warehouses = {
            name: Config.read(program.warehouses[name].options, place=f"warehouse {name}")
            for name in made_for.warehouses(SLICE, program)
        }
        self.step("plan", memory_mb=256, timeout_seconds=120, data=False)
        for name, memory_mb in STEPS.items():
            step = self.step(name, memory_mb=memory_mb, timeout_seconds=900, data=True)
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        self.steps["load"].read_objects(self.staged, STAGED)
        self.landed(memory_mb=256)
        maintain = self.maintain(memory_mb=512, tmp_mb=512)
        maintain.read_objects([self.staging, *self.staged], STAGED)
        maintain.delete_objects([self.staging], slice_stack.OWN_STAGING)
        maintain.delete_objects(self.staged, STAGED)
        for step in (self.steps[name] for name in (*STEPS, "landed", "maintain")):
            step.read_secrets(sorted({config.secret for config in warehouses.values()}))
        for name, config in warehouses.items():
            self._credential(name, config)
        self.finish(workflow)

    def _credential(self, name: str, config: Config) -> None:
        """The role by which Databricks reads what is staged, and writes what is published: its storage credential names it.

        Unity Catalog wants a role that may assume itself:
        https://docs.databricks.com/aws/en/connect/unity-catalog/cloud-storage/s3/s3-external-location-manual
        """
        role_name = f"{named.role(name)}-{self.region}"
        arn = f"arn:{self.partition}:iam::{self.account}:role/{role_name}"
        external = {"StringEquals": {"sts:ExternalId": config.storage_external_id}}
        itself = iam.AccountRootPrincipal().with_conditions({**external, "ArnEquals": {"aws:PrincipalArn": arn}})
        trusted = iam.CompositePrincipal(iam.ArnPrincipal(config.storage_principal_arn).with_conditions(external), itself)
        role = iam.Role(self, f"Storage-{name}", role_name=role_name, assumed_by=trusted)
        for why, (actions, prefixes) in {
            STAGED: (READ_OBJECTS, self.staged),
            slice_stack.OWN_STAGING: ([*READ_OBJECTS, *WRITE_OBJECTS, "s3:DeleteObject"], [self.staging]),
        }.items():
            resources = [self.places.objects(prefix) for prefix in prefixes]
            if resources:
                role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
                acknowledge_resources(role, resources, why)
        role.add_to_policy(iam.PolicyStatement(actions=["s3:ListBucket", "s3:GetBucketLocation"], resources=[self.places.bucket_arn]))
        via = {"StringEquals": {"kms:ViaService": f"s3.{self.region}.amazonaws.com"}}
        role.add_to_policy(
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self.places.key_arn], conditions=via)
        )
        role.add_to_policy(iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[arn]))
