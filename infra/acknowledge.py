"""Acknowledges findings of cdk-nag, each with its reason, at the place that causes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """One finding, e.g. 'AwsSolutions-SF1'; one that is reported with details as 'AwsSolutions-IAM5[Resource::*]'."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_resources(construct: IConstruct, resources: Iterable[str], reason: str) -> None:
    """That a policy names `resources` with a wildcard at their end."""
    for resource in resources:
        text = _flat(Stack.of(construct).resolve(resource))
        acknowledge(construct, f"AwsSolutions-IAM5[Resource::{text}]", reason)


def _flat(value: Any) -> str:
    """A resolved value as cdk-nag writes it: references in angle brackets."""
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_flat(part) for part in parts)
    if isinstance(value, dict) and "Ref" in value:
        return f"<{value['Ref']}>"
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    return str(value)
