"""Signing in by the 12c verifier: neither side sends the password, and each proves that it knows it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_ROUNDS, _KEY_ROUNDS = 4096, 3
_VERIFIER_12C = 0x4815
Parameters = list[tuple[str, str, int]]


class Logon:
    """One client's. password: None of a user that is not there, for whom everything goes on until it is refused."""

    def __init__(self, password: str | None) -> None:
        self._salt, self._key_salt, self._own = secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(32)
        self._password = password
        secret = password if password is not None else secrets.token_hex(8)
        derived = _derived(secret.encode(), self._salt + b"AUTH_PBKDF2_SPEEDY_KEY", 64, _ROUNDS)
        self._hash = hashlib.sha512(derived + self._salt).digest()[:32]
        self._shared = b""

    def challenge(self) -> Parameters:
        return [
            ("AUTH_SESSKEY", _aes(self._hash, self._own, encrypt=True).hex().upper(), 0),
            ("AUTH_VFR_DATA", self._salt.hex().upper(), _VERIFIER_12C),
            ("AUTH_PBKDF2_CSK_SALT", self._key_salt.hex().upper(), 0),
            ("AUTH_PBKDF2_VGEN_COUNT", str(_ROUNDS), 0),
            ("AUTH_PBKDF2_SDER_COUNT", str(_KEY_ROUNDS), 0),
        ]

    def proves(self, answer: Mapping[str, str]) -> bool:
        """Whether the answer shows that the client knows the password."""
        theirs = _aes(self._hash, bytes.fromhex(answer["AUTH_SESSKEY"]), encrypt=False)[:32]
        self._shared = _derived((theirs + self._own).hex().upper().encode(), self._key_salt, 32, _KEY_ROUNDS)
        padded = _aes(self._shared, bytes.fromhex(answer["AUTH_PASSWORD"]), encrypt=False)
        said = padded[16 : -padded[-1]] if padded[-1] <= 16 else b""
        return self._password is not None and said == self._password.encode()

    def welcome(self, number: int) -> Parameters:
        """What a session begins with: the proof that the server knows the password, and what it says of itself."""
        proof = _padded(secrets.token_bytes(16) + b"SERVER_TO_CLIENT")
        return [
            ("AUTH_VERSION_NO", str(19 << 24 | 3 << 16), 0),
            ("AUTH_SESSION_ID", str(number), 0),
            ("AUTH_SERIAL_NUM", "1", 0),
            ("AUTH_SVR_RESPONSE", _aes(self._shared, proof, encrypt=True).hex().upper(), 0),
            ("AUTH_SC_SERVICE_NAME", "double", 0),
            ("AUTH_MAX_OPEN_CURSORS", "300", 0),
            ("AUTH_SC_DBUNIQUE_NAME", "DOUBLE", 0),
            ("AUTH_INSTANCENAME", "double", 0),
        ]


def _aes(key: bytes, text: bytes, *, encrypt: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(16)))
    worker = cipher.encryptor() if encrypt else cipher.decryptor()
    return worker.update(text) + worker.finalize()


def _padded(text: bytes) -> bytes:
    missing = 16 - len(text) % 16
    return text + bytes([missing]) * missing


def _derived(password: bytes, salt: bytes, length: int, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password, salt, rounds, length)
