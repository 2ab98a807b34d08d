"""The optional VPC: isolated subnets, endpoints for what functions call, and no NAT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_cdk import Fn, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.atoll_stack import AtollStack
from infra.network_parameters import SECURITY_GROUP, VPC_ID, ZONES, subnet_parameter
from infra.places import Places
from infra.settings import Settings
from shared_metadata import naming

GROUP = "The functions of Atoll: they call, nobody calls them"  # EC2 takes few characters, no apostrophe among them


@dataclass(frozen=True)
class Network:
    """Where a stack's functions stand."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_groups: list[ec2.ISecurityGroup]


class NetworkStack(AtollStack):
    """Made with `-c vpc=true`. Other stacks find it by SSM parameters, so that it can be changed under them."""

    def __init__(self, scope: Construct, services: tuple[str, ...], settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, naming.NETWORK_STACK, settings, "Atoll: VPC with endpoints, without NAT", **stack_settings)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(settings.vpc_cidr),
            availability_zones=_zones(ZONES),
            nat_gateways=0,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="functions", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=20)
            ],
        )
        flow_log(self, self.vpc, kms.Key.from_key_arn(self, "Key", Places(self).key_arn), "flows")
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        group = ec2.SecurityGroup(self, "Functions", vpc=self.vpc, description=GROUP)
        endpoints = ec2.SecurityGroup(self, "Endpoints", vpc=self.vpc, description="AWS endpoints", allow_all_outbound=False)
        endpoints.add_ingress_rule(group, ec2.Port.tcp(443), "from the functions")
        for name in services:
            service = ec2.InterfaceVpcEndpointAwsService(name)
            self.vpc.add_interface_endpoint(name.capitalize(), service=service, security_groups=[endpoints], open=False)
        self._parameter("VpcId", VPC_ID, self.vpc.vpc_id)
        self._parameter("SecurityGroup", SECURITY_GROUP, group.security_group_id)
        for number, subnet in enumerate(self.vpc.isolated_subnets):
            self._parameter(f"Subnet{number}", subnet_parameter(number), subnet.subnet_id)

    def _parameter(self, id: str, name: str, value: str) -> None:
        ssm.StringParameter(self, f"{id}Parameter", parameter_name=name, string_value=value)


def flow_log(scope: Construct, vpc: ec2.Vpc, key: kms.IKey, name: str) -> None:
    """Keeps for a week what a VPC has rejected."""
    group = logs.LogGroup(
        scope,
        "FlowLogs",
        log_group_name=f"/aws/vpc/{naming.PREFIX}-{name}",
        retention=logs.RetentionDays.ONE_WEEK,
        encryption_key=key,
        removal_policy=RemovalPolicy.DESTROY,
    )
    vpc.add_flow_log(
        "Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group), traffic_type=ec2.FlowLogTrafficType.REJECT
    )


def network_of(stack: Stack, settings: Settings) -> Network | None:
    """The network that the settings ask for, as seen from `stack`; None for Lambda's own."""
    if settings.own_vpc:
        read = ssm.StringParameter.value_for_string_parameter
        subnets = [read(stack, subnet_parameter(number)) for number in range(ZONES)]
        group = ec2.SecurityGroup.from_security_group_id(stack, "Functions", read(stack, SECURITY_GROUP), mutable=False)
        return _network(stack, read(stack, VPC_ID), subnets, group)
    if settings.vpc_id:
        vpc = ec2.Vpc.from_vpc_attributes(stack, "OwnersVpc", vpc_id=settings.vpc_id, availability_zones=_zones(1))
        made = ec2.SecurityGroup(stack, "Functions", vpc=vpc, description=GROUP)
        return _network(stack, settings.vpc_id, list(settings.subnet_ids), made)
    return None


def _network(stack: Stack, vpc_id: str, subnet_ids: list[str], group: ec2.ISecurityGroup) -> Network:
    zones = _zones(len(subnet_ids))
    vpc = ec2.Vpc.from_vpc_attributes(stack, "Vpc", vpc_id=vpc_id, availability_zones=zones, isolated_subnet_ids=subnet_ids)
    return Network(vpc, ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED), [group])


def _zones(count: int) -> list[str]:
    return [Fn.select(number, Fn.get_azs()) for number in range(count)]
