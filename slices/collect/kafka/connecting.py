"""Makes clients of a cluster, and says what of it is refused, gone or down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from slices.collect.kafka.config import MECHANISMS, Address, Config, Trust

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

ANSWER_SECONDS = 30.0  # for an answer, in which its client tries again by itself
DOWN_SECONDS = 10.0  # after which brokers of which none answers are down
Token = Callable[[], tuple[str, float]]  # what a role of IAM's signs in with, and until when, in seconds since 1970
_SILENT = logging.getLogger("slices.collect.kafka.client")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False  # what librdkafka says of its connections are the errors that are told anyway


class Cluster:
    """A cluster as the connection names it.  place: for errors."""

    def __init__(self, config: Config, address: Address | Trust, place: str, token: Token) -> None:
        self.config, self.place = config, place
        self._address, self._token = address, token

    @property
    def brokers(self) -> str:
        return ",".join(name.strip() for name in (self.config.brokers or self._address.brokers).split(","))

    def settings(self, told: Told) -> dict[str, Any]:
        """Those of every client: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md."""
        config, signs_in = self.config, self.config.auth != "none"
        found: dict[str, Any] = {
            "bootstrap.servers": self.brokers,
            "client.id": "atoll",
            "security.protocol": ("SASL_" if signs_in else "") + ("SSL" if config.tls else "PLAINTEXT"),
            "socket.connection.setup.timeout.ms": 10_000,
            "allow.auto.create.topics": False,
            "error_cb": told.add,
            "logger": _SILENT,
        }
        if config.tls and self._address.ca:
            found["ssl.ca.pem"] = self._address.ca
        if signs_in:
            found["sasl.mechanism"] = MECHANISMS[config.auth]
        if isinstance(self._address, Address):
            found |= {"sasl.username": self._address.username, "sasl.password": self._address.password}
        if config.auth == "iam":
            found["oauth_cb"] = lambda _: self._token()
        return found

    def consumer(self, told: Told) -> Any:
        """A client that reads what it is told to: it is in no group, and needs rights on none."""
        from confluent_kafka import Consumer

        reading = {
            "group.id": "atoll",  # which the library asks for
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 32 << 10,
            "fetch.wait.max.ms": 100,
        }
        return Consumer({**self.settings(told), **reading})


class Told:
    """What a client has told of the cluster, in its own threads, since it was made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._begun = cluster, time.monotonic()
        self._errors: list[KafkaError] = []

    def add(self, error: KafkaError) -> None:
        self._errors.append(error)

    def check(self) -> None:
        """Raises SecretError where it is not let in; in the end DefinitionError where TLS fails, RetryLater where none answers."""
        from confluent_kafka import KafkaError

        codes = {error.code() for error in self._errors}
        cluster = self._cluster
        if KafkaError._AUTHENTICATION in codes or KafkaError.SASL_AUTHENTICATION_FAILED in codes:
            raise self._refused()
        if time.monotonic() < self._begun + DOWN_SECONDS:  # a broker that is begun anew ends handshakes, too
            return
        if KafkaError._SSL in codes:
            remedy = "put the certificate by which they are trusted into the secret as `ca`, or correct their names and ports"
            cause = f"the brokers {cluster.brokers} are not trusted, or speak no TLS"
            raise DefinitionError(cause, place=cluster.place, remedy=remedy)
        if KafkaError._ALL_BROKERS_DOWN in codes:
            raise self.down()

    def down(self) -> RetryLater:
        where = f"none of the brokers {self._cluster.brokers} answers"
        return RetryLater(
            where, place=self._cluster.place, remedy="nothing, the batch is tried again; or correct names, ports and the network"
        )

    def answered(self) -> None:
        """It is there: what was told before is no more of interest."""
        self._errors.clear()
        self._begun = time.monotonic()

    def _refused(self) -> DefinitionError:
        config, cluster = self._cluster.config, self._cluster
        if config.auth == "iam":
            remedy = "`atoll deploy` again; of another account's cluster let its policy allow the functions' roles"
            return DefinitionError(f"the cluster {config.cluster} refuses the function's role", place=cluster.place, remedy=remedy)
        cause = f"the cluster refuses who signs in with the secret {config.secret!r} by {config.auth}"
        remedy = f"correct it with `atoll secret {config.secret} FILE`, or the connection's `auth`"
        return SecretError(cause, place=cluster.place, remedy=remedy)


def meant(error: KafkaError, name: str, place: str) -> Exception:
    """What an error about a topic says."""
    from confluent_kafka import KafkaError

    code = error.code()
    if code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
        remedy = "allow its user to Describe and Read the topic, see the slice's README"
        return DefinitionError(f"the cluster denies the topic {name}", place=place, remedy=remedy)
    if is_gone(error):
        return DefinitionError(f"there is no topic {name}", place=place, remedy="correct its name, or make the topic")
    return RetryLater(f"the topic {name} cannot be read: {error.name()}", place=place, remedy="nothing, the batch is tried again")


def is_gone(error: KafkaError) -> bool:
    """Whether it says that there is no such topic."""
    from confluent_kafka import KafkaError

    gone = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_ID)
    return error.code() in gone


def token_of(session: Any, cluster: str) -> Token:
    """What a session's role signs in with.  cluster: its ARN, '' for none."""

    def token() -> tuple[str, float]:
        from aws_msk_iam_sasl_signer.MSKAuthTokenProvider import (  # type: ignore[import-untyped]
            generate_auth_token_from_credentials_provider,
        )
        from botocore.credentials import CredentialProvider, Credentials

        class Provider(CredentialProvider):
            def load(self) -> Credentials:
                found: Credentials = session.get_credentials()
                return found

        made, until_ms = generate_auth_token_from_credentials_provider(cluster.split(":")[3], Provider())
        return made, until_ms / 1000

    return token
