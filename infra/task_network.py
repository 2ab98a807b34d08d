"""A network for tasks where the functions stand in none: Fargate runs nothing outside of a VPC.

Its subnets have a way to the internet and let nothing in; so a task reaches what its function reaches, without a NAT, which would be
paid by the hour. It costs nothing while no task runs; then each has an address of its own.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.network import Network, flow_log
from infra.network_parameters import ZONES
from infra.places import Places
from infra.settings import Settings

CIDR = "10.255.0.0/24"  # nothing is connected to it
GROUP = "The tasks of Atoll: they call, nobody calls them"


def public_network(scope: Construct, settings: Settings) -> Network:
    """A VPC of two public subnets, with the gateways of S3 and DynamoDB."""
    zones = Stack.of(scope).availability_zones[:ZONES]
    vpc = ec2.Vpc(
        scope,
        "Vpc",
        ip_addresses=ec2.IpAddresses.cidr(CIDR),
        availability_zones=zones,
        nat_gateways=0,
        restrict_default_security_group=False,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="tasks", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=26, map_public_ip_on_launch=False)
        ],
    )
    key = kms.Key.from_key_arn(scope, "FlowKey", Places(Stack.of(scope)).key_arn)
    flow_log(scope, vpc, key, f"tasks-{Stack.of(scope).node.id.lower()}")
    vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
    vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
    group = ec2.SecurityGroup(scope, "Group", vpc=vpc, description=GROUP)
    return Network(vpc, ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC), [group])
