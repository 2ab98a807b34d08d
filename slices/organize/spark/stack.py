"""The stack OrganizeSparkSlice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import aws_emrserverless as emr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra import slice_stack
from infra.acknowledge import acknowledge_resources
from infra.functions import READ_OBJECTS, WRITE_OBJECTS
from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from slices.organize.spark.application import VARIABLE, Application, variable
from slices.organize.spark.slice import SLICE
from slices.organize.spark.workflow import workflow
from systems.iceberg.config import Config
from systems.iceberg.stack import READ_CATALOG, STAGED, TABLES, WAREHOUSE, WRITE_CATALOG, LakeStack
from systems.iceberg.staging_table import SCHEMA

JOBS = ["emr-serverless:GetJobRun", "emr-serverless:CancelJobRun"]
STAGING_TABLES = "the tables to which Spark writes the rows of batches, each for as long as its batch takes"
ANSWERED = "the documents of jobs and their answers, counts, under the tokens of statements"
RUNS = "the job runs of the application, whose ids EMR Serverless chooses"
# Spark 3.5 and Iceberg 1.10: https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-7120-release.html
RELEASE = "emr-7.12.0"
SCRIPT = Path(__file__).with_name("job.py")
IDLE_MINUTES = 15  # EMR's own
GB_A_VCPU = 8  # at most: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/app-behavior.html#worker-configs


class SliceStack(LakeStack):
    """The lake's steps, of which refresh and check run jobs in an application that each warehouse has of its own."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, **stack_settings)

    def engine(self) -> None:
        """The applications, and what Spark does there by a role of each warehouse."""
        script = assets.Asset(self, "Job", path=str(SCRIPT))
        answers = naming.answers_prefix(SLICE.id)
        staging = self.catalog([naming.database(name, SCHEMA) for name in self.warehouses])
        made = {name: self._application(name, script) for name in self.warehouses}
        ids = [application.id for application in made.values()]
        for step in (self.steps["refresh"], self.steps["check"]):
            step.function.add_environment(VARIABLE, self.to_json_string(variable(made)))
            step.allow(["emr-serverless:StartJobRun"], [self._arn(id) for id in ids])
            step.allow(JOBS, [f"{self._arn(id)}/jobruns/*" for id in ids], RUNS)
            step.role.add_to_policy(
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[application.role for application in made.values()],
                    conditions={"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}},
                )
            )
            step.allow([*READ_CATALOG, *WRITE_CATALOG], staging, STAGING_TABLES)
            step.write_objects([answers], ANSWERED)
        self.steps["commit"].allow(["glue:DeleteTable"], staging, STAGING_TABLES)
        self.steps["maintain"].allow(["glue:GetTables", "glue:DeleteTable"], staging, STAGING_TABLES)

    def _application(self, warehouse: str, script: assets.Asset) -> Application:
        """A warehouse's application, which costs nothing while no job runs in it."""
        vcpus = Config.read(self.program.warehouses[warehouse].options, place=f"warehouse {warehouse}").spark_vcpus
        application = emr.CfnApplication(
            self,
            f"Application-{warehouse}",
            name=f"{naming.state_machine(SLICE.id)}-{warehouse}",
            type="Spark",
            release_label=RELEASE,
            architecture="ARM64",
            auto_start_configuration=emr.CfnApplication.AutoStartConfigurationProperty(enabled=True),
            auto_stop_configuration=emr.CfnApplication.AutoStopConfigurationProperty(enabled=True, idle_timeout_minutes=IDLE_MINUTES),
            maximum_capacity=emr.CfnApplication.MaximumAllowedResourcesProperty(
                cpu=f"{vcpus} vCPU", memory=f"{vcpus * GB_A_VCPU} GB"
            ),
            monitoring_configuration=emr.CfnApplication.MonitoringConfigurationProperty(
                # Spark's logs and pages quote rows in their errors, so none is kept.
                managed_persistence_monitoring_configuration=emr.CfnApplication.ManagedPersistenceMonitoringConfigurationProperty(
                    enabled=False
                )
            ),
            network_configuration=self._placed(),
        )
        script_arn = f"arn:{self.partition}:s3:::{script.s3_bucket_name}/{script.s3_object_key}"
        return Application(application.attr_application_id, self._role(warehouse, script_arn), script.s3_object_url)

    def _placed(self) -> emr.CfnApplication.NetworkConfigurationProperty | None:
        network = self.network
        if network is None:
            return None
        return emr.CfnApplication.NetworkConfigurationProperty(
            subnet_ids=network.vpc.select_subnets(subnet_type=network.subnets.subnet_type).subnet_ids,
            security_group_ids=[group.security_group_id for group in network.security_groups],
        )

    def _role(self, warehouse: str, script_arn: str) -> str:
        """The role by which Spark works: it reads one warehouse, and writes rows that are read once they are committed."""
        emrs = iam.ServicePrincipal("emr-serverless.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}})
        role = iam.Role(self, f"Job-{warehouse}", assumed_by=emrs)
        answers, tables = f"{naming.answers_prefix(SLICE.id)}{warehouse}/", f"warehouse/{warehouse}/"
        catalog = self.catalog([naming.database(warehouse, "*")])
        staging = self.catalog([naming.database(warehouse, SCHEMA)])
        objects = {
            STAGED: (READ_OBJECTS, self.staged),
            ANSWERED: (["s3:GetObject", "s3:PutObject"], [answers]),
            WAREHOUSE: (WRITE_OBJECTS, [tables]),
            slice_stack.OWN_STAGING: (WRITE_OBJECTS, [self.staging]),
        }
        for why, (actions, prefixes) in objects.items():
            self._allow(role, actions, [self.places.objects(prefix) for prefix in prefixes], why)
        self._allow(role, ["s3:ListBucket"], [self.places.bucket_arn])
        self._allow(role, ["s3:GetObject"], [script_arn])
        self._allow(role, READ_CATALOG, catalog, TABLES)
        self._allow(role, ["glue:UpdateTable"], staging, STAGING_TABLES)
        via = {"StringEquals": {"kms:ViaService": f"s3.{self.region}.amazonaws.com"}}
        key = iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self.places.key_arn], conditions=via)
        role.add_to_policy(key)
        return role.role_arn

    @staticmethod
    def _allow(role: iam.Role, actions: list[str], resources: list[str], why: str = "") -> None:
        if resources:
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
            acknowledge_resources(role, [resource for resource in resources if "*" in resource], why)

    def _arn(self, application: str) -> str:
        return self.places.arn("emr-serverless", f"/applications/{application}")
