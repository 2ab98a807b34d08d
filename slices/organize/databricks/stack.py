"""The stack OrganizeDatabricksSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.functions import READ_OBJECTS, WRITE_OBJECTS
from infra.settings import Settings
from shared_metadata.program import Program
from slices.organize.databricks.config import Config
from slices.organize.databricks.slice import SLICE
from slices.organize.databricks.workflow import workflow
from systems.sql_warehouse.stack import SqlWarehouseStack
from systems.sql_warehouse.storage_role import role_name


class SliceStack(SqlWarehouseStack[Config]):
    """The functions ask Databricks by HTTPS; it reaches files by a role that the storage credential of a warehouse names."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        more = {**stack_settings, "reaches_internet": True}
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, options=Config, **more)

    def reach_service(self) -> None:
        """Unity Catalog wants a role that may assume itself:
        https://docs.databricks.com/aws/en/connect/unity-catalog/cloud-storage/s3/s3-external-location-manual
        """
        for step in self.asking:
            step.read_secrets(sorted({config.secret for config in self.warehouses.values()}))
        for name, config in self.warehouses.items():
            called = role_name(SLICE.id, name, self.region)
            arn = f"arn:{self.partition}:iam::{self.account}:role/{called}"
            external = {"StringEquals": {"sts:ExternalId": config.storage_external_id}}
            itself = iam.AccountRootPrincipal().with_conditions({**external, "ArnEquals": {"aws:PrincipalArn": arn}})
            trusted = iam.CompositePrincipal(iam.ArnPrincipal(config.storage_principal_arn).with_conditions(external), itself)
            own = [*READ_OBJECTS, *WRITE_OBJECTS, "s3:DeleteObject"]
            role = self.storage_role(f"Storage-{name}", called, trusted, own=own)
            role.add_to_policy(iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[arn]))
