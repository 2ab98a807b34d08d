"""A Lambda function with a role of its own, its log group, and the grants that slices and the conductor give it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledge import acknowledge, acknowledge_resources
from infra.bundling import Bundle
from infra.made import Made
from infra.network import Network
from infra.places import Places
from infra.settings import LOG_DAYS, Settings
from shared_metadata.store.access import GRANT_LEASES, Access

READ_METADATA = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
SECRETS_A_STATEMENT = 25  # names of 100 characters; a managed policy, to which the CDK moves what is too much, has 6,144
READ_OBJECTS = ["s3:GetObject"]
WRITE_OBJECTS = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
NETWORK_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


@dataclass(frozen=True)
class FunctionSettings:
    """handler: 'module.name'.  tmp_mb: size of /tmp.  traced: False traces only what its caller traces.

    reserved: how many of it may run at once, which nothing else in the account can take; None for what the account has left.
    made: what is made for its slice, and the layer that holds it; None where there is nothing.
    """

    name: str
    handler: str
    bundle: Bundle
    memory_mb: int
    timeout_seconds: int
    tmp_mb: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    traced: bool = True
    reserved: int | None = None
    made: MadeLayer | None = None


class MadeLayer:
    """A layer with what is made for a slice, which all its functions have."""

    def __init__(self, scope: Construct, made: Made) -> None:
        self.made, self.layers = made, list[lambda_.ILayerVersion]()
        if Stack.of(scope).bundling_required:  # else the stack is not asked for
            code = lambda_.Code.from_asset(str(made.build()), asset_hash=made.digest)
            layer = lambda_.LayerVersion(scope, "Made", code=code, description=f"Made for {made.name}: no code")
            self.layers.append(layer)


class AtollFunction(Construct):
    """Python 3.13 on arm64, traced, logging to an encrypted group that forgets."""

    def __init__(self, scope: Construct, id: str, wanted: FunctionSettings, settings: Settings, network: Network | None) -> None:
        super().__init__(scope, id)
        self.places = Places(Stack.of(self))
        self.key = kms.Key.from_key_arn(self, "Key", self.places.key_arn)
        log_group_name = f"/aws/lambda/{wanted.name}"
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=log_group_name,
            retention=logs.RetentionDays(LOG_DAYS[settings.log_days]),
            encryption_key=self.key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = self._role(log_group_name, network)
        self._roles = [self.role]  # whose grants are the function's own
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=wanted.name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=wanted.handler,
            code=_code(self, wanted.bundle),
            role=self.role,
            memory_size=wanted.memory_mb,
            timeout=Duration.seconds(wanted.timeout_seconds),
            ephemeral_storage_size=Size.mebibytes(wanted.tmp_mb),
            environment={"POWERTOOLS_METRICS_NAMESPACE": "Atoll", "POWERTOOLS_LOG_LEVEL": "INFO", **wanted.environment},
            tracing=lambda_.Tracing.ACTIVE if wanted.traced else lambda_.Tracing.PASS_THROUGH,
            log_group=log_group,
            layers=wanted.made.layers if wanted.made else None,
            reserved_concurrent_executions=wanted.reserved,
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=network.security_groups if network else None,
        )
        self._encrypt_environment()
        acknowledge(self.function, "AwsSolutions-L1", "Python 3.13 is what every pinned wheel is built and tested for")

    def _role(self, log_group_name: str, network: Network | None) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        streams = f"{self.places.log_groups(log_group_name)}:log-stream:*"
        _allow(role, ["logs:CreateLogStream", "logs:PutLogEvents"], [streams])
        acknowledge_resources(role, [streams], "Lambda names its log streams by itself; they are those of this function's group")
        acknowledge_resources(
            role, ["*"], "X-Ray's, listing streams and, in a VPC, EC2's actions on network interfaces take no resource"
        )
        if network:
            _allow(role, NETWORK_ACTIONS, ["*"])
        return role

    def _encrypt_environment(self) -> None:
        """It holds names only; with the key, who may read the function's configuration does not thereby read them."""
        resource = self.function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)
        resource.kms_key_arn = self.places.key_arn  # the construct's own setting would grant more than this
        self.use_key("lambda", "kms:Decrypt")

    def shared_with(self, role: iam.Role) -> None:
        """Gives a role, too, all that the function is granted from now on."""
        self._roles.append(role)

    def use_metadata(self, access: Access) -> None:
        """Works with these items of the metadata table, and with no others."""
        writes = {"UpdateItem": access.updates, "PutItem": access.puts, "DeleteItem": access.deletes}
        for actions, patterns in [(READ_METADATA, access.reads), *(([f"dynamodb:{name}"], of) for name, of in writes.items())]:
            if patterns:
                own = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(patterns)}}
                self._grant(actions, [self.places.table_arn], own)
        self.use_key("dynamodb")

    def use_key(self, service: str, *actions: str) -> None:
        """What a service does with the key in the caller's name; the caller itself can encrypt and decrypt nothing with it."""
        # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
        via = {"StringEquals": {"kms:ViaService": f"{service}.{Stack.of(self).region}.amazonaws.com"}}  # in every partition
        self._grant(actions or ("kms:Decrypt", "kms:GenerateDataKey"), [self.places.key_arn], via)

    def read_objects(self, prefixes: Sequence[str], why: str) -> None:
        self._objects(READ_OBJECTS, prefixes, why)
        self.use_key("s3", "kms:Decrypt")

    def write_objects(self, prefixes: Sequence[str], why: str) -> None:
        self._objects(WRITE_OBJECTS, prefixes, why)
        self.use_key("s3")

    def put_objects(self, prefixes: Sequence[str], why: str) -> None:
        """Puts, and reads none of them."""
        self.allow(["s3:PutObject"], [self.places.objects(prefix) for prefix in prefixes], why)
        self.use_key("s3")

    def delete_objects(self, prefixes: Sequence[str], why: str) -> None:
        self._objects(["s3:DeleteObject"], prefixes, why)

    def read_secrets(self, references: Sequence[str]) -> None:
        if references:
            self._secrets("secretsmanager:GetSecretValue", references)
            self.use_key("secretsmanager", "kms:Decrypt")

    def rotate_secrets(self, references: Sequence[str]) -> None:
        """Writes the refresh tokens of grants that rotate back into their secrets, under leases."""
        if references:
            self._secrets("secretsmanager:PutSecretValue", references)
            self.use_key("secretsmanager")
            self.use_metadata(GRANT_LEASES)

    def _secrets(self, action: str, references: Sequence[str]) -> None:
        """Grants many, so many in a statement as fit into a policy; a statement with a name is not merged with others by the CDK."""
        for at in range(0, len(references), SECRETS_A_STATEMENT):
            some = references[at : at + SECRETS_A_STATEMENT]
            name = f"{action.partition(':')[2]}{zlib.crc32(some[0].encode()):x}" if len(references) > SECRETS_A_STATEMENT else None
            resources = [self.places.secret(reference) for reference in some]
            for role in self._roles:
                role.add_to_policy(iam.PolicyStatement(sid=name, actions=[action], resources=resources))

    def allow(self, actions: Sequence[str], resources: Sequence[str], why: str = "") -> None:
        """Anything else; `why` acknowledges resources that end in a wildcard."""
        self._grant(actions, resources)
        if why:
            self._acknowledge([r for r in resources if "*" in r], why)

    def _objects(self, actions: Sequence[str], prefixes: Sequence[str], why: str) -> None:
        if not prefixes:  # a program without a stage has none of what the stage makes
            return
        resources = [self.places.objects(prefix) for prefix in prefixes]
        self._grant(actions, resources)
        # Without it S3 answers 403 instead of 404 for an object that is not there.
        self._grant(["s3:ListBucket"], [self.places.bucket_arn])
        self._acknowledge(resources, why)

    def _grant(self, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Any] | None = None) -> None:
        for role in self._roles:
            _allow(role, actions, resources, conditions)

    def _acknowledge(self, resources: Sequence[str], why: str) -> None:
        for role in self._roles:
            acknowledge_resources(role, resources, why)


def _code(scope: Construct, bundle: Bundle) -> lambda_.Code:
    """The bundle, or, when this stack is not asked for, nothing that takes time."""
    if not Stack.of(scope).bundling_required:
        return lambda_.Code.from_inline("# bundled when its stack is synthesised")
    return lambda_.Code.from_asset(str(bundle.build()), asset_hash=bundle.digest)


def _allow(role: iam.Role, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Any] | None = None) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions))
