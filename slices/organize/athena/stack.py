"""The stack OrganizeAthenaSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_athena as athena
from constructs import Construct

from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from slices.organize.athena.slice import SLICE
from slices.organize.athena.workflow import workflow
from slices.organize.athena.workgroup import ANSWERS, DEFAULT_DATABASE, workgroup
from systems.iceberg.config import Config
from systems.iceberg.stack import READ_CATALOG, WRITE_CATALOG, LakeStack
from systems.iceberg.staging_table import SCHEMA

STATEMENTS = ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:StopQueryExecution"]
STAGING_TABLES = "the tables to which Athena writes the rows of batches, each for as long as its batch takes"
ANSWERED = "Athena's answers to the slice's questions: counts, under names that it chooses"
GIGABYTE = 1_000_000_000


class SliceStack(LakeStack):
    """The lake's steps, of which refresh and check run statements in a workgroup that each warehouse has of its own."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, **stack_settings)

    def engine(self) -> None:
        """The workgroups, and what Athena does in the name of the function whose statement it runs."""
        groups = [self._workgroup(name) for name in self.warehouses]
        staging = self.catalog([naming.database(name, SCHEMA) for name in self.warehouses])
        for step in (self.steps["refresh"], self.steps["check"]):
            step.allow(STATEMENTS, groups)
            step.allow(["s3:GetBucketLocation"], [self.places.bucket_arn])
            step.allow([*READ_CATALOG, *WRITE_CATALOG], staging, STAGING_TABLES)
            step.allow(["glue:GetDatabase"], [self.places.arn("glue", f"database/{DEFAULT_DATABASE}")])
            step.write_objects([ANSWERS], ANSWERED)
        self.steps["commit"].allow(["glue:DeleteTable"], staging, STAGING_TABLES)
        self.steps["maintain"].allow(["glue:GetTables", "glue:DeleteTable"], staging, STAGING_TABLES)

    def _workgroup(self, warehouse: str) -> str:
        """The workgroup of a warehouse; its ARN."""
        limit = Config.read(self.program.warehouses[warehouse].options, place=f"warehouse {warehouse}").scan_limit_gb
        athena.CfnWorkGroup(
            self,
            f"WorkGroup-{warehouse}",
            name=workgroup(warehouse),
            description=f"Atoll: what computes the views of {warehouse}",
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=limit * GIGABYTE if limit else None,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(selected_engine_version="Athena engine version 3"),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{self.places.bucket}/{ANSWERS}",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=self.places.key_arn
                    ),
                ),
            ),
        )
        return self.places.arn("athena", f"workgroup/{workgroup(warehouse)}")
