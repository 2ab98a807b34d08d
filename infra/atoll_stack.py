"""A stack of Atoll's: its name in CloudFormation, and what the settings say of every stack."""

from __future__ import annotations

from typing import Any

from aws_cdk import Arn, ArnComponents, Stack, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.settings import Settings


class AtollStack(Stack):
    """`id` is what a user types after `cdk deploy`; the name in CloudFormation has the installation's prefix."""

    def __init__(self, scope: Construct, id: str, settings: Settings, description: str, **stack_settings: Any) -> None:
        super().__init__(scope, id, stack_name=settings.stack_name(id), description=description, **stack_settings)
        self.settings = settings
        for name, value in {"atoll": "true", **settings.tags}.items():
            Tags.of(self).add(name, value)
        if settings.permissions_boundary:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(self, "Boundary", self._policy_arn(settings.permissions_boundary))
            iam.PermissionsBoundary.of(self).apply(boundary)

    def _policy_arn(self, name: str) -> str:
        """The ARN of a policy that is given by its ARN, or by its name in this account."""
        if name.startswith("arn:"):
            return name
        return Arn.format(ArnComponents(service="iam", region="", resource="policy", resource_name=name), self)
