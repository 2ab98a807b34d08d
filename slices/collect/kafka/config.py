"""The options of `CREATE CONNECTION … TO kafka WITH (…)`, and what its secret holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.contract.secrets.secret_fields import SecretFields
from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection

# https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/internals/Topic.java
TOPIC = r"[A-Za-z0-9._-]{1,249}"
_BROKER = r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"
BROKERS = rf"^(\s*{_BROKER}(\s*,\s*{_BROKER})*\s*)?$"
# https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control.html; no wildcard of IAM's is in it
_CLUSTER = r"^(arn:aws[a-z-]*:kafka:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9-]{1,64}/[A-Za-z0-9-]+)?$"
MECHANISMS = {"scram-sha-512": "SCRAM-SHA-512", "scram-sha-256": "SCRAM-SHA-256", "plain": "PLAIN", "iam": "OAUTHBEARER"}


class Config(BaseModel):
    """brokers: where the cluster is first asked; '' where the secret says it.  topics: its tables; '' for all that the user may see.

    auth: how the slice signs in: with a user name and a password of the secret, as a role of IAM's at Amazon MSK, or not at all.
    cluster: the ARN of a cluster of Amazon MSK, whose topics IAM allows.  tls: FALSE where events may be read on the network.
    format: of an event's value: a JSON object, whose keys are columns, or any text, which is the column `data`.
    key: of an event's key: any text; a JSON object, whose keys are columns of an event without a value; bytes, in base 64.
    gap: what happens where events were deleted before they were collected.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    brokers: str = Field(
        "", pattern=BROKERS, description="hosts with their ports and commas between: 'b-1.example.com:9096, b-2.example.com:9096'"
    )
    topics: str = Field("", pattern=rf"^(\s*{TOPIC}(\s*,\s*{TOPIC})*\s*)?$", description="names of topics, with commas between")
    secret: str = ""
    auth: Literal["scram-sha-512", "scram-sha-256", "plain", "iam", "none"] = "scram-sha-512"
    cluster: str = Field(
        "", pattern=_CLUSTER, description="the ARN of a cluster, arn:aws:kafka:<region>:<account>:cluster/<name>/<id>"
    )
    tls: bool = True
    format: Literal["json", "text"] = "json"
    key: Literal["text", "json", "base64"] = "text"
    gap: Literal["refuse", "skip"] = "refuse"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({name.strip() for name in self.topics.split(",") if name.strip()}))

    @property
    def signs_in(self) -> bool:
        """Whether it does with a user name and a password."""
        return self.auth not in ("iam", "none")


class Address(SecretFields):
    """The secret's fields, which are never shown. ca: the certificate, in PEM, that brokers are trusted by; '' for the machine's."""

    remedy = "the secret is a JSON object with username, password and, if need be, brokers and ca"

    username: str = Field(min_length=1)
    password: str = Field(min_length=1)
    brokers: str = Field("", pattern=BROKERS)
    ca: str = ""


class Trust(SecretFields):
    """What a secret may hold that is not signed in with."""

    remedy = "the secret is a JSON object with brokers and, if need be, ca"

    brokers: str = Field("", pattern=BROKERS)
    ca: str = ""


def read_config(connection: Connection) -> Config:
    """Raises DefinitionError for options that are wrong, or do not go together."""
    found, place = read_options(Config, connection), f"connection {connection.name} ({connection.position})"
    if found.auth == "iam" and not (found.cluster and found.topics):
        remedy = "name the cluster's ARN as `cluster`, and the topics as `topics`: these the functions' roles are granted"
        raise DefinitionError(
            "with auth = 'iam' the connection says neither all of its cluster nor its topics", place=place, remedy=remedy
        )
    if found.auth in ("iam", "plain") and not found.tls:
        cause = f"with auth = {found.auth!r} and tls = FALSE what signs in would go over the network as it is"
        raise DefinitionError(cause, place=place, remedy="remove tls = FALSE, or sign in by SCRAM")
    return found


def read_secret(connection: Connection, secret: Mapping[str, Any]) -> Address | Trust:
    """Raises SecretError that names the fields that are missing or wrong, never a value; DefinitionError where no broker is named."""
    config, place = read_config(connection), f"connection {connection.name} ({connection.position})"
    if config.signs_in and not config.secret:
        remedy = "name its secret, with username and password; for a cluster without users say auth = 'none'"
        raise SecretError(f"the connection has no secret, and signs in by {config.auth}", place=place, remedy=remedy)
    found = (Address if config.signs_in else Trust).read(secret, config.secret, place)
    if not config.brokers and not found.brokers:
        raise DefinitionError(
            "the connection names no broker", place=place, remedy="name them as its option `brokers`, or in its secret"
        )
    return found
