"""The stack OrganizeSnowflakeSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.settings import Settings
from shared_metadata.program import Program
from slices.organize.snowflake.config import Config
from slices.organize.snowflake.slice import SLICE
from slices.organize.snowflake.workflow import workflow
from systems.sql_warehouse.stack import SqlWarehouseStack
from systems.sql_warehouse.storage_role import role_name


class SliceStack(SqlWarehouseStack[Config]):
    """The functions ask Snowflake by HTTPS; it reaches files by a role that the storage integration of a warehouse's stage names.

    https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
    """

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        more = {**stack_settings, "reaches_internet": True}
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, options=Config, **more)

    def reach_service(self) -> None:
        for step in self.asking:
            step.read_secrets(sorted({config.secret for config in self.warehouses.values()}))
        for name, config in self.warehouses.items():
            external = {"StringEquals": {"sts:ExternalId": config.storage_external_id}}
            trusted = iam.ArnPrincipal(config.storage_user_arn).with_conditions(external)
            self.storage_role(f"Storage-{name}", role_name(SLICE.id, name, self.region), trusted)
