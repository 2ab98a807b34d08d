"""Tells whose key has signed a request, and when: each request is signed over its moment and its body; no I/O.

standard: Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
stripe: as Stripe signs, https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared_metadata.errors import SecretError
from shared_metadata.program import Connection
from systems.standard_webhooks import signing
from systems.standard_webhooks.signing import FEWEST_BYTES, PREFIX

_SENDER = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_MESSAGE = re.compile(r"[!-~]{1,256}")
Keys = Mapping[str, Sequence[bytes]]  # sender ▸ the keys that hold for it


class Refused(Exception):
    """A request is not taken. status: of HTTP.  cause: for the sender; it quotes nothing of the request."""

    def __init__(self, status: int, cause: str) -> None:
        super().__init__(cause)
        self.status, self.cause = status, cause


class Signed(NamedTuple):
    """Who has sent a request, and what it is called there: the same name where it is sent again."""

    sender: str
    message: str


def read_keys(values: Mapping[str, Any], form: str, place: str) -> dict[str, list[bytes]]:
    """The keys in a secret: sender ▸ its key, or several with blanks between while one takes the other's place.

    Raises SecretError that names a sender and no value.
    """
    remedy = f"the secret holds an object of sender ▸ '{PREFIX}…', {FEWEST_BYTES} bytes or more in base 64: `atoll secret`"
    found = dict[str, list[bytes]]()
    for sender, text in values.items():
        if not _SENDER.fullmatch(sender):
            raise SecretError("a sender's name takes letters, digits and _ . @ -, 64 at most", place=place, remedy=remedy)
        try:
            found[sender] = [_key(one, form) for one in str(text).split()]
        except ValueError as error:
            raise SecretError(f"the key of the sender {sender} {error}", place=place, remedy=remedy) from None
    if not any(found.values()):
        raise SecretError("no sender has a key", place=place, remedy=remedy)
    return found


def read_secret(connection: Connection, values: Mapping[str, Any]) -> Keys:
    """What `atoll secret` asks of what is stored. Raises SecretError."""
    place = f"connection {connection.name} ({connection.position})"
    return read_keys(values, str(connection.options.get("signature", "standard")), place)


def _key(text: str, form: str) -> bytes:
    """Raises ValueError with what is wrong."""
    if form != "stripe":
        return signing.read_key(text)
    key = text.encode()  # as it is, with its prefix
    if len(key) < FEWEST_BYTES:
        raise ValueError(f"is shorter than {FEWEST_BYTES} bytes")
    return key


def verified(form: str, headers: Mapping[str, str], body: bytes, keys: Keys, now: datetime, tolerance_seconds: int) -> Signed:
    """headers: by their names in lower case.  Raises Refused."""
    read = _of_stripe if form == "stripe" else _of_standard
    message, moment, prefix, given = read(headers, body)
    if abs(now.timestamp() - moment) > tolerance_seconds:
        raise Refused(401, f"the signature's timestamp is more than {tolerance_seconds} s from the endpoint's clock")
    senders = set[str]()
    for sender, of_sender in keys.items():
        for key in of_sender:
            wanted = signing.digest(key, prefix, body)
            senders |= {sender for one in given if hmac.compare_digest(wanted, one)}
    if not senders:
        raise Refused(401, "the signature is none of a sender's that this endpoint knows")
    return Signed(min(senders), message)


def _of_standard(headers: Mapping[str, str], body: bytes) -> tuple[str, int, bytes, list[bytes]]:
    """The message's id, the moment, what is signed before the body, and the signatures."""
    message, moment = _header(headers, signing.ID), _moment(_header(headers, signing.TIMESTAMP))
    if not _MESSAGE.fullmatch(message):
        raise Refused(400, "the header webhook-id takes 256 printable characters of ASCII at most")
    signatures = [one for one in _header(headers, signing.SIGNATURE).split()[:16] if one.startswith(signing.VERSION)]
    given = [_decoded(one.removeprefix(signing.VERSION)) for one in signatures]
    return message, moment, signing.before_body(message, headers[signing.TIMESTAMP]), given


def _of_stripe(headers: Mapping[str, str], body: bytes) -> tuple[str, int, bytes, list[bytes]]:
    """Stripe names no message in a header: the same body is the same message."""
    pairs = [part.strip().partition("=") for part in _header(headers, "stripe-signature").split(",")[:32]]
    told = next((value for name, _, value in pairs if name == "t"), "")
    given = [bytes.fromhex(value) for name, _, value in pairs if name == "v1" and re.fullmatch("[0-9a-f]{64}", value)]
    return hashlib.sha256(body).hexdigest()[:32], _moment(told), f"{told}.".encode(), given


def _header(headers: Mapping[str, str], name: str) -> str:
    if not headers.get(name):
        raise Refused(401, f"the header {name} is missing")
    return headers[name]


def _moment(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise Refused(401, "the signature's timestamp is no number of seconds since 1970")
    return int(text)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
