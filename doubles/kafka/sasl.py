"""Signs clients in: PLAIN, SCRAM, and OAUTHBEARER with the tokens of Amazon MSK, whose signatures are checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

_ROUNDS = 4096
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
MECHANISMS = ("PLAIN", *_HASHES, "OAUTHBEARER")
_EMPTY = hashlib.sha256(b"").hexdigest()


class Refused(Exception):
    """Wrong credentials."""


@dataclass
class Users:
    """passwords: of users, for PLAIN and SCRAM.  keys: access key ▸ secret key, of IAM."""

    passwords: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


class Signing:
    """One client's way in.  user: who it is, once it is known."""

    def __init__(self, users: Users, mechanism: str) -> None:
        self._users, self._mechanism, self.user = users, mechanism, ""
        self._bare, self._nonce, self._salt, self._claimed = "", "", b"", ""

    def answer(self, sent: bytes) -> bytes:
        """Raises Refused."""
        if self._mechanism == "PLAIN":
            _, user, password = sent.decode().split("\0")
            if not user or self._users.passwords.get(user) != password:
                raise Refused
            self.user = user
            return b""
        if self._mechanism == "OAUTHBEARER":
            fields = sent.decode().split("\x01")
            token = next((one for one in fields if one.startswith("auth=Bearer ")), "auth=Bearer ")
            self.user = access_key(token.removeprefix("auth=Bearer "), self._users.keys)
            return b""
        return self._scram_last(sent.decode()) if self._nonce else self._scram_first(sent.decode())

    def _scram_first(self, text: str) -> bytes:
        """RFC 5802."""
        self._bare = text.split(",", 2)[2]
        said = dict(one.split("=", 1) for one in self._bare.split(","))
        self._claimed = said["n"].replace("=2C", ",").replace("=3D", "=")
        self._nonce, self._salt = said["r"] + base64.b64encode(os.urandom(12)).decode().replace("=", ""), os.urandom(16)
        self._challenge = f"r={self._nonce},s={base64.b64encode(self._salt).decode()},i={_ROUNDS}"
        return self._challenge.encode()

    def _scram_last(self, text: str) -> bytes:
        kind, said = _HASHES[self._mechanism], dict(one.split("=", 1) for one in text.split(","))
        password = self._users.passwords.get(self._claimed)
        if password is None or said["r"] != self._nonce:
            raise Refused
        salted = hashlib.pbkdf2_hmac(kind, password.encode(), self._salt, _ROUNDS)
        client = hmac.digest(salted, b"Client Key", kind)
        message = ",".join((self._bare, self._challenge, text.rpartition(",p=")[0])).encode()
        signature = hmac.digest(hashlib.new(kind, client).digest(), message, kind)
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        if not hmac.compare_digest(base64.b64encode(proof).decode(), said["p"]):
            raise Refused
        self.user = self._claimed
        server = hmac.digest(hmac.digest(salted, b"Server Key", kind), message, kind)
        return f"v={base64.b64encode(server).decode()}".encode()


def access_key(token: str, keys: Mapping[str, str]) -> str:
    """Whose token it is: a URL that is signed as https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html says.

    Raises Refused for one that is not of a known key, was changed, or has expired.
    """
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    said = dict(parse_qsl(url.query, keep_blank_values=True))
    try:
        own, day, region, service, end = said["X-Amz-Credential"].split("/")
        made, seconds = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), int(said["X-Amz-Expires"])
        signature, secret = said.pop("X-Amz-Signature"), keys[own]
    except (KeyError, ValueError):
        raise Refused from None
    said.pop("User-Agent", None)  # it is put on after signing
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(said.items()))
    canonical = "\n".join(("GET", "/", query, f"host:{url.hostname}", "", "host", _EMPTY))
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            said["X-Amz-Date"],
            f"{day}/{region}/{service}/{end}",
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    found = f"AWS4{secret}".encode()
    for part in (day, region, service, end, text):
        found = hmac.digest(found, part.encode(), "sha256")
    right = (service, said.get("Action"), url.hostname) == ("kafka-cluster", "kafka-cluster:Connect", f"kafka.{region}.amazonaws.com")
    if not right or not hmac.compare_digest(found.hex(), signature) or datetime.now(UTC) > made + timedelta(seconds=seconds):
        raise Refused
    return own
