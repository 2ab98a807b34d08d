"""The stack OrganizeRedshiftSlice."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_redshiftserverless as serverless
from constructs import Construct

from infra.acknowledge import acknowledge_resources
from infra.functions import AtollFunction
from infra.settings import Settings
from shared_metadata.program import Program
from slices.organize.redshift import named
from slices.organize.redshift.config import Config
from slices.organize.redshift.slice import SLICE
from slices.organize.redshift.workflow import workflow
from systems.sql_warehouse.stack import STEPS, SqlWarehouseStack

SUBMIT = ["redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"]
# Of statements, which are no resources: whoever submitted one may ask for it, and no other role.
OWN = ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement"]
OWNER = {"StringEquals": {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}}
STATED = "the Data API's actions on statements take no resource; each is of whoever submitted it"


class SliceStack(SqlWarehouseStack[Config]):
    """The functions ask the Data API; Redshift reaches files by a role that COPY and UNLOAD name."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, options=Config, **stack_settings)

    def reach_service(self) -> None:
        services = [f"{name}.amazonaws.com" for name in ("redshift", "redshift-serverless")]
        trusted = [iam.ServicePrincipal(name, conditions={"StringEquals": {"aws:SourceAccount": self.account}}) for name in services]
        called = f"{named.role()}-{self.region}"  # roles are an account's, wherever it works
        self._role = self.storage_role("S3", called, iam.CompositePrincipal(*trusted))
        managed = {name: self._managed(name, config) for name, config in self.warehouses.items() if config.managed}
        for step in self.asking:
            for name, config in self.warehouses.items():
                self._speaks(step, name, config, managed.get(name, ""))
        for name in (*STEPS, "maintain"):
            self.steps[name].function.add_environment(named.ROLE_VARIABLE, self._role.role_arn)

    def _speaks(self, step: AtollFunction, name: str, config: Config, workgroup: str) -> None:
        """What a function needs to have statements run in a warehouse.  workgroup: the ARN of one that is managed."""
        if config.cluster_identifier:
            where = self.places.arn("redshift", f"cluster:{config.cluster_identifier}")
        else:
            where = workgroup or self.places.arn("redshift-serverless", f"workgroup/{config.workgroup_id}")
        step.allow(SUBMIT, [where])
        step.role.add_to_policy(iam.PolicyStatement(actions=OWN, resources=["*"], conditions=OWNER))
        acknowledge_resources(step.role, ["*"], STATED)
        if config.managed:
            step.allow(
                ["secretsmanager:GetSecretValue"], [self.places.arn("secretsmanager", f"secret:{named.secret(name, config)}-??????")]
            )
            step.use_key("secretsmanager", "kms:Decrypt")
        if config.secret:
            step.read_secrets([config.secret])
        if config.db_user:
            user = self.places.arn("redshift", f"dbuser:{config.cluster_identifier}/{config.db_user}")
            database = self.places.arn("redshift", f"dbname:{config.cluster_identifier}/{config.database}")
            step.allow(["redshift:GetClusterCredentials"], [user, database])

    def _managed(self, name: str, config: Config) -> str:
        """A namespace and a workgroup of a warehouse; the ARN of the workgroup."""
        called = named.workgroup(name, config)
        namespace = serverless.CfnNamespace(
            self,
            f"Namespace-{name}",
            namespace_name=called,
            db_name=config.database,
            admin_username=named.ADMIN,
            manage_admin_password=True,  # which no template reads: Redshift keeps it in a secret, under this key
            admin_password_secret_kms_key_id=self.places.key_arn,
            kms_key_id=self.places.key_arn,
            iam_roles=[self._role.role_arn],
            default_iam_role_arn=self._role.role_arn,
            log_exports=["userlog", "connectionlog"],
        )
        network = self.network
        workgroup = serverless.CfnWorkgroup(
            self,
            f"Workgroup-{name}",
            workgroup_name=called,
            namespace_name=called,
            base_capacity=config.base_rpus,
            publicly_accessible=False,
            enhanced_vpc_routing=network is not None,
            subnet_ids=network.vpc.select_subnets(subnet_type=network.subnets.subnet_type).subnet_ids if network else None,
            security_group_ids=[group.security_group_id for group in network.security_groups] if network else None,
            config_parameters=[
                serverless.CfnWorkgroup.ConfigParameterProperty(
                    parameter_key="max_query_execution_time", parameter_value=str(60 * config.statement_minutes)
                ),
                serverless.CfnWorkgroup.ConfigParameterProperty(parameter_key="require_ssl", parameter_value="true"),
            ],
        )
        workgroup.add_dependency(namespace)
        return self.places.arn("redshift-serverless", f"workgroup/{workgroup.attr_workgroup_workgroup_id}")
