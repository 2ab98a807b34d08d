"""The tasks of Fargate of one slice: a cluster, and for each step a definition with a role that may do what the step's function may.

Loaded only where a program asks for tasks. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import CfnTag, RemovalPolicy, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra.acknowledge import acknowledge, acknowledge_resources
from infra.bundling import Bundle
from infra.functions import AtollFunction, FunctionSettings
from infra.made import Made
from infra.network import Network
from infra.places import Places
from infra.settings import IMAGE_ACCEPTED, LOG_DAYS, Settings
from infra.task_network import public_network
from infra.task_states import CONTAINER, TaskPlace
from shared_metadata import naming
from shared_metadata.contract.tasks.run import DISK_GB, GB_OF_VCPUS, VCPUS

START = Path(__file__).with_name("task_start.py")
PRINCIPAL = "ecs-tasks.amazonaws.com"
SYNC_RULE = "rule/StepFunctionsGetEventsForECSTaskRule"
RUNTIME = "/var/runtime"  # where an image of Lambda's runtime has what the runtime brings
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
TMP = "tmp"
HERE = "python"  # where functions run where the packages are, so do tasks: the image is a name


class SliceTasks(Construct):
    """Where the tasks of a slice run: its cluster, its network, and the role by which ECS starts them."""

    def __init__(self, stack: Stack, slice_id: str, settings: Settings, network: Network | None) -> None:
        super().__init__(stack, "Tasks")
        self._settings, self._places, self._image = settings, Places(stack), _image(slice_id, settings)
        self.definitions: dict[str, str] = {}
        self._roles: list[str] = []
        name = naming.state_machine(slice_id)
        self._cluster = ecs.CfnCluster(self, "Cluster", cluster_name=name)
        acknowledge(
            self._cluster, "AwsSolutions-ECS4", "a task's use is in the figures of its batch; Container Insights cost by metric"
        )
        self._network, self._public = (network, False) if network else (public_network(self, settings), True)
        group_name = naming.task_logs(slice_id)
        self._group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=group_name,
            retention=logs.RetentionDays(LOG_DAYS[settings.log_days]),
            encryption_key=kms.Key.from_key_arn(self, "Key", self._places.key_arn),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._starts = self._starting_role(group_name)

    def add(self, step: str, function: AtollFunction, wanted: FunctionSettings) -> None:
        """A step's task: its role gets all grants that the function is given from now on."""
        stack = Stack.of(self)
        role = iam.Role(self, f"{step.capitalize()}Role", assumed_by=_ecs(stack))
        acknowledge_resources(role, ["*"], "actions that take no resource, as the function's")
        function.shared_with(role)
        fetched = _fetched(self, step, wanted)
        for one in fetched:
            arn = f"arn:{stack.partition}:s3:::{one.s3_bucket_name}/{one.s3_object_key}"
            role.add_to_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=[arn]))
        variables = _variables(wanted, fetched)
        definition = ecs.CfnTaskDefinition(
            self,
            step.capitalize(),
            family=wanted.name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            # Each batch overrides these, by the options of its connection or warehouse.
            cpu=str(VCPUS * 1024),
            memory=str(GB_OF_VCPUS[VCPUS][-1] * 1024),
            ephemeral_storage=ecs.CfnTaskDefinition.EphemeralStorageProperty(size_in_gib=DISK_GB),
            runtime_platform=ecs.CfnTaskDefinition.RuntimePlatformProperty(cpu_architecture="ARM64", operating_system_family="LINUX"),
            task_role_arn=role.role_arn,
            execution_role_arn=self._starts.role_arn,
            volumes=[ecs.CfnTaskDefinition.VolumeProperty(name=TMP)],
            container_definitions=[self._container(step, variables)],
            tags=[CfnTag(key="atoll:step", value=f"{wanted.name}")],
        )
        acknowledge(definition, "AwsSolutions-ECS2", "the variables are names of Atoll's own resources; no secret is among them")
        self.definitions[step] = definition.ref
        self._roles.append(role.role_arn)

    def place(self, step: str) -> TaskPlace:
        """Where the step's tasks run."""
        network = self._network
        subnets = network.vpc.select_subnets(subnet_type=network.subnets.subnet_type).subnet_ids
        groups = [group.security_group_id for group in network.security_groups]
        return TaskPlace(self._cluster.attr_arn, self.definitions[step], subnets, groups, self._public)

    def grant_to(self, machine: iam.Role) -> None:
        """What the state machine does: it runs these tasks, in this cluster, with these roles, looks at them, and stops them."""
        in_cluster = {"ArnEquals": {"ecs:cluster": self._cluster.attr_arn}}
        tasks = self._places.arn("ecs", f"task/{self._cluster.ref}/*")
        for actions, resources, conditions in (
            (["ecs:RunTask"], list(self.definitions.values()), in_cluster),
            (["ecs:DescribeTasks", "ecs:StopTask"], [tasks], in_cluster),
            (["ecs:TagResource"], [tasks], {"StringEquals": {"ecs:CreateAction": "RunTask"}}),
            (["events:DescribeRule", "events:PutRule", "events:PutTargets"], [self._places.rule(SYNC_RULE)], None),
            (["iam:PassRole"], [*self._roles, self._starts.role_arn], {"StringEquals": {"iam:PassedToService": PRINCIPAL}}),
        ):
            machine.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions))
        acknowledge_resources(machine, [tasks], "tasks of the slice's own cluster, whose ids are new each time")

    def _container(self, step: str, variables: Mapping[str, str]) -> ecs.CfnTaskDefinition.ContainerDefinitionProperty:
        own = ecs.CfnTaskDefinition
        return own.ContainerDefinitionProperty(
            name=CONTAINER,
            image=self._image,
            essential=True,
            entry_point=["python3", "-c"],
            command=[START.read_text()],
            readonly_root_filesystem=True,
            mount_points=[own.MountPointProperty(container_path="/tmp", source_volume=TMP, read_only=False)],  # noqa: S108
            environment=[own.KeyValuePairProperty(name=name, value=value) for name, value in sorted(variables.items())],
            stop_timeout=30,
            log_configuration=own.LogConfigurationProperty(
                log_driver="awslogs",
                options={
                    "awslogs-group": self._group.log_group_name,
                    "awslogs-region": Stack.of(self).region,
                    "awslogs-stream-prefix": step,
                },
            ),
        )

    def _starting_role(self, group_name: str) -> iam.Role:
        """The role by which ECS pulls the image and writes the log; the step has nothing of it."""
        stack = Stack.of(self)
        role = iam.Role(self, "StartRole", assumed_by=_ecs(stack))
        streams = f"{self._places.log_groups(group_name)}:log-stream:*"
        role.add_to_policy(iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[streams]))
        acknowledge_resources(role, [streams], "ECS names the log streams; they are those of this group")
        if repository := self._settings.task_repository:
            role.add_to_policy(iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]))
            role.add_to_policy(iam.PolicyStatement(actions=PULL, resources=[f"arn:{stack.partition}:ecr:{repository}"]))
            acknowledge_resources(role, ["*"], "ECR's token takes no resource")
        return role


def _image(slice_id: str, settings: Settings) -> str:
    """Raises ValueError where none is named, or one that isolated subnets cannot reach."""
    if settings.host_dependencies:
        return HERE
    if not settings.task_image:
        raise ValueError(f"the program has tasks of {slice_id} run, and no image is named for them: -c taskImage=…, {IMAGE_ACCEPTED}")
    if settings.own_vpc and not settings.task_repository:
        raise ValueError(
            f"-c taskImage={settings.task_image}: with -c vpc=true it has to be in a repository of this account's ECR, for that VPC "
            "has no way to another registry; docs/deploying.md tells how it gets there"
        )
    return settings.task_image


def _ecs(stack: Stack) -> iam.ServicePrincipal:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html#create_task_iam_policy_and_role"""
    return iam.ServicePrincipal(PRINCIPAL, conditions={"StringEquals": {"aws:SourceAccount": stack.account}})


def _variables(wanted: FunctionSettings, fetched: Sequence[assets.Asset]) -> dict[str, str]:
    """The function's own, and where its bundle lies, and what is made for its slice."""
    zips = _zips(wanted) if fetched else []
    return {
        **wanted.environment,
        "POWERTOOLS_METRICS_NAMESPACE": "Atoll",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "PYTHONPATH": RUNTIME,
        "ATOLL_HANDLER": wanted.handler,
        "ATOLL_BUNDLE_BUCKET": fetched[0].s3_bucket_name if fetched else "",
        "ATOLL_BUNDLE_KEYS": " ".join(one.s3_object_key for one in fetched),
        "ATOLL_BUNDLE_SHA256": " ".join(hashlib.sha256(one.build().read_bytes()).hexdigest() for one in zips),
    }


def _zips(wanted: FunctionSettings) -> list[Bundle | Made]:
    return [wanted.bundle, *([wanted.made.made] if wanted.made else [])]


def _fetched(scope: Construct, step: str, wanted: FunctionSettings) -> list[assets.Asset]:
    """The function's own bundle and files, which lie in the bucket of assets once; none where this stack is not asked for."""
    if not Stack.of(scope).bundling_required:
        return []
    named = zip(("Bundle", "Made"), _zips(wanted), strict=False)
    return [assets.Asset(scope, step.capitalize() + name, path=str(one.build()), asset_hash=one.digest) for name, one in named]
