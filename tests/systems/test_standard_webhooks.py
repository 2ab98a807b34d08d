"""What `harness/webhook` signs `collect/http` takes, and nothing that was changed on the way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slices.collect.http.signatures import Refused, Signed, verified
from systems.standard_webhooks.signing import read_key, signed

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
KEY = bytes(range(32))


def received(headers: dict[str, str], body: bytes, key: bytes = KEY) -> Signed:
    return verified("standard", headers, body, {"atoll": [key]}, NOW, 300)


@given(name=st.text("abcdef0123456789-.", min_size=1, max_size=60), body=st.binary(max_size=200))
def test_what_one_slice_signs_the_other_takes_under_its_name(name: str, body: bytes) -> None:
    headers = signed(KEY, name, int(NOW.timestamp()), body)
    assert received(headers, body) == Signed("atoll", name)


@pytest.mark.parametrize(
    "change",
    [{"body": b"[2]"}, {"key": bytes(32)}, {"name": "another"}, {"moment": int(NOW.timestamp()) - 301}],
    ids=lambda change: next(iter(change)),
)
def test_what_was_changed_is_refused(change: dict[str, Any]) -> None:
    headers = signed(KEY, "a", change.get("moment", int(NOW.timestamp())), b"[1]")
    if "name" in change:
        headers["webhook-id"] = change["name"]
    with pytest.raises(Refused):
        received(headers, change.get("body", b"[1]"), change.get("key", KEY))


def test_a_signature_is_that_of_the_specification() -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/javascript/src/index.test.ts, sign function works"""
    headers = signed(
        read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(("text", "wrong"), [("whsec_!", "is no base 64"), ("whsec_c2hvcnQ=", "is shorter than 24 bytes")])
def test_a_key_that_is_none_is_told_without_it(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{wrong}$"):
        read_key(text)
