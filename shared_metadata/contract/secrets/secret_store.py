"""Reads JSON secrets from Secrets Manager, and says what is wrong with one without ever showing a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared_metadata import naming
from shared_metadata.aws.later import Refusal, refusal
from shared_metadata.errors import SecretError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

BYTE_ORDER_MARK = "\ufeff"  # what some editors write before a file's text


@dataclass(frozen=True)
class StoredSecret:
    """One version of a secret."""

    version: str
    values: Mapping[str, Any] = field(repr=False)


def read_secret(secrets: SecretsManagerClient, reference: str, *, place: str, version: str = "") -> StoredSecret:
    """The JSON object behind `secret = 'reference'`: the current version, or the one named. Raises SecretError."""
    name = naming.secret(reference)
    remedy = naming.store_secret(reference)
    try:
        found = secrets.get_secret_value(SecretId=name, VersionId=version) if version else secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException as error:
        raise SecretError(f"the secret {name} does not exist", place=place, remedy=remedy) from error
    except secrets.exceptions.ClientError as error:
        # A role may read its secrets by ARN: of one that is not there the answer is this, too.
        raise denied(error, f"reading the secret {name} was denied", place, missing=f"if it is not there, {remedy}; else ") from error
    try:
        values = json.loads(found["SecretString"].removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise SecretError(f"the secret {name} is not a JSON object", place=place, remedy=remedy)
    return StoredSecret(found["VersionId"], values)


def denied(error: Any, what: str, place: str, missing: str = "") -> Exception:
    """The error as it is, or as a SecretError where access was denied; missing: what to do before all else."""
    if refusal(error) != Refusal.DENIED:
        return error  # type: ignore[no-any-return]
    remedy = f"{missing}`atoll deploy` again, so that its role is granted this secret"
    return SecretError(what, place=place, remedy=remedy)
