"""The double, asked by librdkafka: what is written is read, and what is signed otherwise is not let in."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from aws_msk_iam_sasl_signer.MSKAuthTokenProvider import (  # type: ignore[import-untyped]
    generate_auth_token_from_credentials_provider,
)
from botocore.credentials import CredentialProvider, Credentials
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from doubles.kafka.batches import crc32c
from doubles.kafka.sasl import Refused, access_key
from doubles.kafka.server import Kafka, served


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with served() as found:
        yield found


def test_the_checksum_is_that_of_the_standard() -> None:
    """https://datatracker.ietf.org/doc/html/rfc3720#appendix-B.4"""
    assert (crc32c(bytes(32)), crc32c(b"123456789")) == (0x8A9136AA, 0xE3069283)


@pytest.mark.parametrize("append_time", [False, True])
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_a_producer_writes_a_consumer_reads_with_checksums(kafka: Kafka, codec: str, append_time: bool) -> None:
    topic = f"{codec}-{append_time}"
    kafka.cluster.create(topic, append_time=append_time)
    producer = Producer({"bootstrap.servers": kafka.address, "enable.idempotence": True, "compression.type": codec, "linger.ms": 20})
    for number in range(20):
        producer.produce(topic, f"value {number}" * 20, f"key {number}", headers=[("n", str(number).encode()), ("none", None)])
    producer.produce(topic, None, "gone")
    assert producer.flush(20) == 0
    settings = {
        "bootstrap.servers": kafka.address,
        "group.id": "x",
        "enable.auto.commit": False,
        "check.crcs": True,
        "isolation.level": "read_committed",
    }
    consumer = Consumer(settings)
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    while len(found) < 21:
        message = consumer.poll(20)
        assert message is not None
        found += [message] if message.error() is None else []  # groups are refused
    consumer.close()
    assert [(message.offset(), message.value()) for message in found] == [
        *((number, f"value {number}".encode() * 20) for number in range(20)), (20, None)
    ]  # fmt: skip
    assert found[3].headers() == [("n", b"3"), ("none", None)]
    compressed = codec != "none"  # which the double does not take apart, so that times in it stay the producer's
    assert {message.timestamp()[0] for message in found} == ({2} if append_time and not compressed else {1})


class Keys(CredentialProvider):  # type: ignore[misc]
    def load(self) -> Credentials:
        return Credentials("AKIA", "secret")


def signed() -> str:
    """A token, which is one for a quarter of an hour."""
    return str(generate_auth_token_from_credentials_provider("eu-central-1", Keys())[0])


def test_a_token_is_of_the_key_that_signed_it() -> None:
    token = signed()
    assert access_key(token, {"AKIA": "secret", "other": "x"}) == "AKIA"
    for keys in ({"AKIA": "another"}, {"other": "secret"}):
        with pytest.raises(Refused):
            access_key(token, keys)


@given(at=st.integers(0, 10_000), put=st.sampled_from("0aZ"))
def test_a_token_that_was_changed_is_refused(at: int, put: str) -> None:
    token = signed()
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition("&User-Agent=")[0]
    begin = url.index("?") + 1
    at = begin + at % (len(url) - begin)
    changed = url[:at] + put + url[at + 1 :]
    if changed != url:
        with pytest.raises(Refused):
            access_key(base64.urlsafe_b64encode(changed.encode()).decode().rstrip("="), {"AKIA": "secret"})
