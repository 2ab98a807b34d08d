"""How the slice gets into a cluster: by TLS, as a role of IAM's, with a password; and what it says where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from doubles.kafka.sasl import Users
from doubles.kafka.server import Kafka, served
from infra.embedded.tls import TlsFiles, ensure_certificate
from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from shared_metadata.program import Connection, Position
from slices.collect.kafka import connecting
from slices.collect.kafka.client import KafkaSource

pytestmark = pytest.mark.security
HERE = Position("program.sql", 2, 1)
CLUSTER = "arn:aws:kafka:eu-central-1:111122223333:cluster/shop/0f1e2d3c-4b5a-6978"
PASSWORD, SECRET_KEY = "canary-wörd", "canary-of-a-role"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return ensure_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def kafka(files: TlsFiles) -> Iterator[Kafka]:
    with served(Users({"ann": PASSWORD}, {"AKIAROLE": SECRET_KEY}), (files.certificate, files.key)) as found:
        found.cluster.create("clicks")
        yield found


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "DOWN_SECONDS", 0.5)


def looked(kafka: Kafka, holds: dict[str, Any], key: str = SECRET_KEY, **options: Any) -> list[str]:
    """What `discover` lists, and describes. holds: what the secret does."""
    session = boto3.Session("AKIAROLE", key, region_name="eu-central-1")
    connection = Connection("bus", "kafka", {"brokers": kafka.address, **options}, HERE)
    source = KafkaSource(connection, holds, session)
    names = source.tables()
    assert list(source.describe(names)) == names
    return names


@pytest.mark.parametrize("auth", ["scram-sha-512", "scram-sha-256", "plain"])
def test_a_user_signs_in_with_a_password_over_tls(kafka: Kafka, files: TlsFiles, auth: str) -> None:
    secret = {"username": "ann", "password": PASSWORD, "ca": files.certificate.read_text()}
    assert looked(kafka, secret, auth=auth, secret="bus") == ["clicks"]
    with pytest.raises(SecretError, match=f"the secret 'bus' by {auth}") as caught:
        looked(kafka, {**secret, "password": "canary"}, auth=auth, secret="bus")
    assert "canary" not in str(caught.value)


def test_a_role_signs_in_by_iam_and_one_whose_signature_is_wrong_does_not(kafka: Kafka, files: TlsFiles) -> None:
    options: dict[str, Any] = {"auth": "iam", "cluster": CLUSTER, "topics": "clicks", "secret": "trust"}
    trust = {"ca": files.certificate.read_text()}
    assert looked(kafka, trust, **options) == ["clicks"]
    with pytest.raises(DefinitionError, match="refuses the function's role") as caught:
        looked(kafka, trust, "another key", **options)
    assert "another key" not in str(caught.value)


def test_brokers_that_are_not_trusted_are_told_nothing(kafka: Kafka) -> None:
    with pytest.raises(DefinitionError, match="are not trusted, or speak no TLS"):
        looked(kafka, {"username": "ann", "password": PASSWORD}, secret="bus")


def test_brokers_that_another_certificate_speaks_for_are_not_trusted(kafka: Kafka, tmp_path: Path) -> None:
    other = ensure_certificate(tmp_path)
    with pytest.raises(DefinitionError, match="are not trusted"):
        looked(kafka, {"username": "ann", "password": PASSWORD, "ca": other.certificate.read_text()}, secret="bus")


def test_brokers_that_want_tls_answer_no_other(kafka: Kafka) -> None:
    with pytest.raises(RetryLater, match="none of the brokers"):
        looked(kafka, {"username": "ann", "password": PASSWORD}, secret="bus", tls=False)
