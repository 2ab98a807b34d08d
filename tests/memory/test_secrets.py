"""Secrets Manager in memory, and the two emulations that it stands for, by one suite."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.conformance.fixtures import Cloud, cloud  # noqa: F401
from tests.memory.light_moto import moto_client


class SecretsBehaviour:
    @pytest.fixture
    def name(self, secrets: Any) -> str:
        made = f"atoll/{uuid.uuid4().hex}"
        secrets.create_secret(Name=made, SecretString="one")
        return made

    def test_the_current_version_is_told_and_the_one_before_it_kept(self, secrets: Any, name: str) -> None:
        first = secrets.get_secret_value(SecretId=name)
        assert (first["SecretString"], first["VersionStages"]) == ("one", ["AWSCURRENT"])
        second = secrets.put_secret_value(SecretId=name, SecretString="two")["VersionId"]
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "two"
        assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["VersionId"] == first["VersionId"]
        assert secrets.get_secret_value(SecretId=name, VersionId=second)["SecretString"] == "two"
        assert secrets.get_secret_value(SecretId=name, VersionId=first["VersionId"])["SecretString"] == "one"

    def test_a_version_on_trial_is_not_the_current_one(self, secrets: Any, name: str) -> None:
        version = str(uuid.uuid4())
        secrets.put_secret_value(SecretId=name, ClientRequestToken=version, SecretString="trial", VersionStages=["TRIAL"])
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "one"
        assert secrets.get_secret_value(SecretId=name, VersionId=version)["SecretString"] == "trial"

    def test_a_secret_that_is_not_there_or_is_there_already_is_refused_by_its_code(self, secrets: Any, name: str) -> None:
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.get_secret_value(SecretId="not-there")
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.put_secret_value(SecretId="not-there", SecretString="x")
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.get_secret_value(SecretId=name, VersionId=str(uuid.uuid4()))
        with pytest.raises(secrets.exceptions.ResourceExistsException):
            secrets.create_secret(Name=name, SecretString="x")

    def test_what_is_deleted_is_gone(self, secrets: Any, name: str) -> None:
        assert name in [secret["Name"] for secret in secrets.list_secrets()["SecretList"]]
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.get_secret_value(SecretId=name)


class SecretsAsDocumented(SecretsBehaviour):
    """What the embedded AWS is laxer about."""

    def test_a_call_that_is_repeated_changes_nothing(self, secrets: Any, name: str) -> None:
        again = {"SecretId": name, "ClientRequestToken": str(uuid.uuid4()), "SecretString": "two"}
        secrets.put_secret_value(**again)
        secrets.put_secret_value(**again)
        assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"] == "one"
        with pytest.raises(secrets.exceptions.ResourceExistsException):
            secrets.put_secret_value(**{**again, "SecretString": "three"})


class TestInMemory(SecretsAsDocumented):
    @pytest.fixture
    def secrets(self, cloud: Cloud) -> Any:  # noqa: F811
        return cloud.session.client("secretsmanager")


class TestOverMoto(SecretsAsDocumented):
    @pytest.fixture
    def secrets(self) -> Iterator[Any]:
        with moto_client("secretsmanager") as client:
            yield client


@pytest.mark.deep
@pytest.mark.xdist_group("emulator")
class TestOverTheEmulator(SecretsBehaviour):
    @pytest.fixture
    def secrets(self, local_aws: EmbeddedAws) -> Any:
        return local_aws.session().client("secretsmanager")
