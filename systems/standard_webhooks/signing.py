"""Signs requests over their name, moment and body: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX, FEWEST_BYTES = "whsec_", 24  # of a key, as text and decoded
VERSION = "v1,"  # before a signature: by a key that both sides have
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"  # the headers


def read_key(text: str) -> bytes:
    """A key as it is handed over, 'whsec_…'. Raises ValueError with what is wrong, which quotes nothing of it."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base 64") from None
    if len(key) < FEWEST_BYTES:
        raise ValueError(f"is shorter than {FEWEST_BYTES} bytes")
    return key


def before_body(name: str, moment: str) -> bytes:
    """What is signed before the body."""
    return f"{name}.{moment}.".encode()


def digest(key: bytes, before: bytes, body: bytes) -> bytes:
    return hmac.new(key, before + body, hashlib.sha256).digest()


def signed(key: bytes, name: str, moment: int, body: bytes) -> dict[str, str]:
    """The headers of a request.  name: the same in each attempt to send the same.  moment: seconds since 1970."""
    signature = base64.b64encode(digest(key, before_body(name, str(moment)), body)).decode()
    return {ID: name, TIMESTAMP: str(moment), SIGNATURE: VERSION + signature}
