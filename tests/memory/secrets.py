"""Secrets Manager in memory, as far as slices use it; passes the same suite as moto and the embedded AWS."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.memory.dynamodb import refused

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"


@dataclass
class Versions:
    """A secret's: their texts by id, and the id that each stage stands at."""

    texts: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)

    def put(self, version: str, text: str, stages: Sequence[str]) -> None:
        self.texts[version] = text
        for stage in stages:
            if stage == CURRENT and CURRENT in self.stages:
                self.stages[PREVIOUS] = self.stages[CURRENT]
            self.stages[stage] = version


class MemorySecrets:
    """An account's secrets: each operation by the name and with the parameters that boto3's client gives it."""

    def __init__(self) -> None:
        self.secrets: dict[str, Versions] = {}
        self.lock = threading.RLock()

    def create_secret(self, *, Name: str, SecretString: str, ClientRequestToken: str = "") -> dict[str, Any]:
        if Name in self.secrets:
            raise refused("ResourceExistsException", "CreateSecret")
        self.secrets[Name] = Versions()
        return self.put_secret_value(SecretId=Name, SecretString=SecretString, ClientRequestToken=ClientRequestToken)

    def put_secret_value(
        self, *, SecretId: str, SecretString: str, ClientRequestToken: str = "", VersionStages: Sequence[str] = (CURRENT,)
    ) -> dict[str, Any]:
        found, version = self._secret(SecretId, "PutSecretValue"), ClientRequestToken or str(uuid.uuid4())
        if found.texts.get(version, SecretString) != SecretString:
            raise refused("ResourceExistsException", "PutSecretValue")
        if version not in found.texts:  # else the call is a repetition, which changes nothing
            found.put(version, SecretString, VersionStages)
        return {**_named(SecretId), "VersionId": version, "VersionStages": list(VersionStages)}

    def get_secret_value(self, *, SecretId: str, VersionId: str = "", VersionStage: str = CURRENT) -> dict[str, Any]:
        found = self._secret(SecretId, "GetSecretValue")
        version = VersionId or found.stages.get(VersionStage, "")
        if version not in found.texts:
            raise refused("ResourceNotFoundException", "GetSecretValue")
        stages = [stage for stage, at in found.stages.items() if at == version]
        return {
            "ARN": SecretId,
            "Name": SecretId,
            "VersionId": version,
            "SecretString": found.texts[version],
            "VersionStages": stages,
        }

    def delete_secret(self, *, SecretId: str, ForceDeleteWithoutRecovery: bool) -> dict[str, Any]:
        assert ForceDeleteWithoutRecovery
        self._secret(SecretId, "DeleteSecret")
        del self.secrets[SecretId]
        return _named(SecretId)

    def list_secrets(self) -> dict[str, Any]:
        return {"SecretList": [{"Name": name} for name in sorted(self.secrets)]}

    def _secret(self, name: str, operation: str) -> Versions:
        if name not in self.secrets:
            raise refused("ResourceNotFoundException", operation)
        return self.secrets[name]


def _named(name: str) -> dict[str, Any]:
    return {"ARN": f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}", "Name": name}
