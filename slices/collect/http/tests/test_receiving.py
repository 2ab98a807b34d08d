"""What an endpoint takes and what it refuses: signatures, bodies, and that nothing is promised that is not stored."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.errors import SecretError
from slices.collect.http.bodies import MOST_EVENTS, events
from slices.collect.http.inbox import LATEST_SECONDS
from slices.collect.http.receive_handler import ReceiveHandler
from slices.collect.http.receiving import KEPT_SECONDS
from slices.collect.http.signatures import Refused, read_keys, verified
from slices.collect.http.tests.under_test import KEY, Endpoint, request, signed
from tests.conformance.fixtures import NOW
from tests.memory.dynamodb import refused

OTHER = base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint({"tables": "orders, clicks", "secret": "senders", "most_kb": 1})


def stored(endpoint: Endpoint, table: str = "orders") -> list[list[Any]]:
    """The events of each request."""
    inbox = endpoint.inbox(lambda: NOW)
    found = inbox.read(table, list(inbox.names(table, None, None)))
    return [[json.loads(text) for text in one.texts] for one in found]


# -- whose requests are taken


def test_the_example_of_standard_webhooks_is_verified() -> None:
    """Its own vector: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    keys = read_keys({"svix": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "standard", "here")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    now = datetime.fromtimestamp(1614265330, UTC)
    found = verified("standard", headers, b'{"test": 2432232314}', keys, now, 300)
    assert found == ("svix", "msg_p5jXN8AQM9LWM0D4loKWxJek")


def test_stripes_form_is_verified_and_the_same_body_is_the_same_message() -> None:
    key, body = "whsec_test_0123456789abcdefghij", b'{"id": "evt_1"}'
    moment = str(int(NOW.timestamp()))
    digest = hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={moment},v1={'0' * 64},v1={digest},v0=ignored"}
    found = verified("stripe", headers, body, read_keys({"stripe": key}, "stripe", "here"), NOW, 300)
    assert found.sender == "stripe" and found.message == hashlib.sha256(body).hexdigest()[:32]


def test_what_is_signed_is_stored_and_then_promised(endpoint: Endpoint) -> None:
    answer = endpoint.send("orders", b'[{"id": 1}, {"id": 2}]', NOW)
    assert (answer.status, answer.count, stored(endpoint)) == (202, 2, [[{"id": 1}, {"id": 2}]])
    assert answer.plain()["body"] == '{"events": 2}'


@pytest.mark.security
@pytest.mark.parametrize("form", ["standard", "stripe"])
@settings(max_examples=300)
@given(data=st.data())
def test_a_request_that_is_changed_anywhere_is_refused(form: str, data: st.DataObject) -> None:
    body, moment = b'{"id": 1, "name": "Ann"}', str(int(NOW.timestamp()))
    if form == "standard":
        headers, keys = signed(body, NOW, message="msg_1"), read_keys({"shop": KEY}, form, "here")
    else:
        secret = "whsec_test_0123456789abcdefghij"
        digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers, keys = {"stripe-signature": f"t={moment},v1={digest}"}, read_keys({"shop": secret}, form, "here")
    assert verified(form, headers, body, keys, NOW, 300).sender == "shop"
    where = data.draw(st.sampled_from(["body", *headers]))
    whole = body if where == "body" else headers[where].encode()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), 1 << data.draw(st.integers(0, 6))
    changed = bytes([*whole[:at], whole[at] ^ bit, *whole[at + 1 :]])
    if where == "body":
        body = changed
    else:
        headers[where] = changed.decode("latin-1")
    with pytest.raises(Refused) as error:
        verified(form, headers, body, keys, NOW, 300)
    assert error.value.status in (400, 401)


@pytest.mark.security
@pytest.mark.parametrize(("seconds", "taken"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_a_replay_is_bounded_by_the_signatures_moment(endpoint: Endpoint, seconds: int, taken: bool) -> None:
    headers = signed(b'{"id": 1}', NOW)
    answer = endpoint.send("orders", b'{"id": 1}', NOW + timedelta(seconds=seconds), headers=headers)
    assert (answer.status == 202) == taken and bool(stored(endpoint)) == taken
    assert taken or "300 s from the endpoint's clock" in answer.cause


@pytest.mark.security
@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing_is_named(endpoint: Endpoint, missing: str) -> None:
    headers = {name: value for name, value in signed(b"{}", NOW).items() if name != missing}
    answer = endpoint.send("orders", b"{}", NOW, headers=headers)
    assert (answer.status, answer.cause) == (401, f"the header {missing} is missing")


@pytest.mark.security
def test_another_senders_key_and_none_are_refused_and_told_of_nothing(endpoint: Endpoint) -> None:
    answer = endpoint.send("orders", b'{"id": "hidden"}', NOW, key=OTHER)
    assert answer.status == 401 and not stored(endpoint)
    assert "hidden" not in answer.cause and KEY not in answer.cause and OTHER not in answer.cause


def test_keys_are_rotated_without_a_pause(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hold while both stand in the secret; one that is taken away holds for a minute more."""
    clock = [1000.0]
    monkeypatch.setattr("slices.collect.http.receiving.time.monotonic", lambda: clock[0])
    endpoint.keys = {"shop": f"whsec_{KEY} whsec_{OTHER}", "partner": ""}
    receiver = endpoint.receiver()

    def status(key: str) -> int:
        return receiver.receive(request("/out/orders", b"{}", signed(b"{}", NOW, key=key))).status

    endpoint.now = NOW
    assert (status(KEY), status(OTHER)) == (202, 202)
    endpoint.keys = {"shop": f"whsec_{OTHER}"}
    assert status(KEY) == 202
    clock[0] += KEPT_SECONDS + 1
    assert (status(KEY), status(OTHER)) == (401, 202)


@pytest.mark.security
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "no sender has a key"),
        ({"shop": ""}, "no sender has a key"),
        ({"shop": "whsec_c2hvcnQ="}, "the key of the sender shop is shorter than 24 bytes"),
        ({"shop": "no base 64!"}, "the key of the sender shop is no base 64"),
        ({"a b": KEY}, "a sender's name takes letters"),
    ],
)
def test_a_secret_that_is_wrong_is_told_by_the_sender_and_never_by_its_value(values: Mapping[str, str], said: str) -> None:
    with pytest.raises(SecretError, match=said) as error:
        read_keys(values, "standard", "connection site")
    assert "base 64!" not in str(error.value) and "c2hv" not in str(error.value) and error.value.remedy


# -- what a body holds

TAKEN = {
    b'{"id": 1}': ['{"id": 1}'],
    b' [ {"a":[1,{"b":"]"}]} , {"c":"\\"}{"} ] \n': ['{"a":[1,{"b":"]"}]}', '{"c":"\\"}{"}'],
    b'{"a":1}\n{"a":2}\r\n\n{"a":3}\n': ['{"a":1}', '{"a":2}', '{"a":3}'],
    b'{\n "a": 1,\r\n "b": "x\\ny"\n}': ['{  "a": 1,   "b": "x\\ny" }'],
    b"[]": [],
    '{"name": "東京 🛫"}'.encode(): ['{"name": "東京 🛫"}'],
    b'{"n": 12345678901234567890.123456789012345678901234567890e-3}': [
        '{"n": 12345678901234567890.123456789012345678901234567890e-3}'
    ],
    b'{"n": ' + b"9" * 5000 + b"}": ['{"n": ' + "9" * 5000 + "}"],
    b'{"s": "\\ud83d\\udeeb"}': ['{"s": "\\ud83d\\udeeb"}'],
}
REFUSED = {
    b"": "event 1 is no JSON",
    b"{": "event 1 is no JSON",
    b"1": "event 1 is no JSON object",
    b'[{"a": 1}, [2]]': "event 2 is no JSON object",
    b'[{"a": 1}, ]': "event 2 is no JSON",
    b'[{"a": 1} {"a": 2}]': "after event 1 neither a comma nor the array's end",
    b'[{"a": 1}': "after event 1 neither a comma nor the array's end",
    b'[{"a": 1}] {"a": 2}': "something stands after the array",
    b"[] x": "something stands after the array",
    b'{"a": 1}\nhello': "event 2 is no JSON",
    b'{"a": NaN}': "event 1 is no JSON",
    b'{"a": -Infinity}': "event 1 is no JSON",
    b'{"a": "\\ud800"}': "event 1 is no JSON",
    b'{"a": "x\ny"}': "event 1 is no JSON",
    b"\xff{}": "the body is no text in UTF-8",
    b"\xef\xbb\xbf{}": "event 1 is no JSON",
    b"[" * 100_000: "event 1 is no JSON",
    b'{"a":' * 100_000: "event 1 is no JSON",
    b"{}" * (MOST_EVENTS + 1): "10,000 events at most",
}


@pytest.mark.parametrize("body", TAKEN)
def test_each_event_is_kept_as_it_was_sent(body: bytes) -> None:
    assert events(body, "json") == TAKEN[body]


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: repr(body[:30]))
def test_a_body_that_is_none_is_refused_whole_by_the_place(body: bytes) -> None:
    with pytest.raises(Refused) as error:
        events(body, "json")
    assert REFUSED[body] in error.value.cause and error.value.status in (400, 413)


Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
Events = st.lists(st.dictionaries(st.text(), Values, max_size=4), max_size=6)


@settings(max_examples=400)
@given(sent=Events, form=st.sampled_from(["array", "lines"]), indent=st.sampled_from([None, 1]), ascii=st.booleans())
def test_what_is_taken_out_is_what_was_sent(sent: list[dict[str, Any]], form: str, indent: int | None, ascii: bool) -> None:
    def text(value: Any) -> bytes:
        return json.dumps(value, indent=indent, ensure_ascii=ascii).encode(errors="surrogatepass")

    body = text(sent) if form == "array" else b"\n".join(map(text, sent))
    if form == "lines" and not sent:
        return
    found = events(body, "json")
    assert list(map(json.loads, found)) == sent and not any("\n" in line or "\r" in line for line in found)


@settings(max_examples=400)
@given(body=st.binary(max_size=40) | st.text(alphabet='{}[]",:1ea \\\n', max_size=40).map(str.encode))
def test_no_body_is_an_error_of_ours(body: bytes) -> None:
    try:
        assert all(isinstance(json.loads(line), dict) for line in events(body, "json"))
    except Refused as error:
        assert error.status == 400


def test_text_is_one_event_whatever_it_says() -> None:
    assert events("a\nb\u2028 東京".encode(), "text") == [json.dumps("a\nb\u2028 東京")]


def test_gzip_is_unpacked_after_the_signature_is_verified(endpoint: Endpoint) -> None:
    body = gzip.compress(b'{"id": 1}')
    assert endpoint.send("orders", body, NOW, **{"content-encoding": "gzip"}).status == 202
    assert stored(endpoint) == [[{"id": 1}]]


@pytest.mark.security
@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b'{"a": "' + b"x" * 1024 + b'"}', "", 413),
        (gzip.compress(bytes(100_000)), "gzip", 413),
        (gzip.compress(b"{}")[:-3], "gzip", 400),
        (b"{}", "gzip", 400),
        (b"{}", "br", 415),
    ],
    ids=["long", "long when it is unpacked", "cut off", "not packed", "packed otherwise"],  # what is packed holds the time
)
def test_a_body_that_is_too_large_or_packed_otherwise_is_refused(endpoint: Endpoint, body: bytes, encoding: str, status: int) -> None:
    answer = endpoint.send("orders", body, NOW, **({"content-encoding": encoding} if encoding else {}))
    assert answer.status == status and answer.cause and not stored(endpoint)


def test_a_table_that_is_not_there_is_404(endpoint: Endpoint) -> None:
    assert endpoint.send("others", b"{}", NOW).status == 404


# -- what is promised


def test_what_s3_has_too_late_is_not_promised(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = endpoint.inbox(lambda: NOW)
    for late, taken in ((LATEST_SECONDS, True), (LATEST_SECONDS + 1, False)):
        monkeypatch.setattr(type(inbox), "_moment", lambda self, answer, late=late: endpoint.now + timedelta(seconds=late))
        answer = endpoint.send("orders", b"{}", NOW)
        assert answer.status == (202 if taken else 503), late
    assert answer.plain()["headers"]["retry-after"]


class Handled:
    """The function as API Gateway calls it, over an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.handler = endpoint, ReceiveHandler(endpoint.receiver)

    def __call__(self, body: bytes) -> dict[str, Any]:
        self.endpoint.now = NOW
        return self.handler(request("/out/orders", body, signed(body, NOW)), None)


@pytest.mark.security
def test_whatever_breaks_the_sender_is_told_so_and_the_log_shows_nothing_of_the_request(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()  # the process's own logger has the output of whichever test was first
    observers = Logger(service="test_receiving", stream=log), Metrics(namespace="Atoll", service="test_receiving")
    monkeypatch.setattr("slices.collect.http.receive_handler._observers", lambda: observers)
    handled, body = Handled(endpoint), b'{"name": "hidden words"}'
    assert handled(body)["statusCode"] == 202

    def broken(error: BaseException) -> Any:
        def fails(*_: Any, **__: Any) -> Any:
            raise error

        return fails

    for error in (refused("SlowDown", "PutObject"), refused("AccessDenied", "PutObject"), ValueError("hidden words"), OSError("x")):
        monkeypatch.setattr("slices.collect.http.inbox.Inbox.put", broken(error))
        answer = handled(body)
        assert answer["statusCode"] == 503 and "retry-after" in answer["headers"] and "hidden" not in answer["body"]
    assert handled(b'{"name": "hidden words"')["statusCode"] == 400
    said = log.getvalue()
    assert "request failed" in said and "event 1 is no JSON" in said and "hidden" not in said and KEY not in said
