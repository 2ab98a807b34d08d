"""The token endpoint: JWT bearer, client credentials and refresh tokens that rotate, and the access tokens that it gives out.

Flows and errors: https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm,
…?id=sf.remoteaccess_oauth_client_credentials_flow.htm, …?id=sf.remoteaccess_oauth_refresh_token_flow.htm and
…?id=sf.remoteaccess_oauth_flow_errors.htm. Rotation, and what a second use of a refresh token does:
https://help.salesforce.com/s/articleView?id=005316711&language=en_US&type=1.
"""

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from doubles.salesforce.errors import OAuthError, SalesforceError

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


@dataclass(frozen=True)
class Credentials:
    """A connected app with one user: what a client needs to log in."""

    client_id: str
    client_secret: str
    username: str
    private_key: str
    public_key: str


@dataclass
class Grant:
    """One authorisation by a user: its refresh token, those that were used up, and the access tokens that came of it.

    rotates: each use replaces the refresh token.  reuses: how often one that was used up came again.
    """

    refresh_token: str
    rotates: bool = True
    revoked: bool = False
    exchanges: int = 0
    reuses: int = 0
    used: set[str] = field(default_factory=set)
    access_tokens: set[str] = field(default_factory=set)


def make_credentials() -> Credentials:
    """A fresh connected app: 2048-bit RSA key pair in PEM, random id and secret."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_key = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public_key = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    client_id = "3MVG9" + secrets.token_urlsafe(60)
    return Credentials(client_id, secrets.token_hex(32).upper(), "integration@example.com", private_key.decode(), public_key.decode())


class Authority:
    """Checks token requests and access tokens; `token_seconds` is how long a token lives from its last use."""

    def __init__(self, credentials: Credentials, organization_id: str, user_id: str, token_seconds: float) -> None:
        self.credentials = credentials
        self.token_seconds = token_seconds
        self._organization_id = organization_id
        self._user_id = user_id
        self._expiries: dict[str, datetime] = {}
        self._grants: list[Grant] = []
        self._lock = threading.Lock()

    def grant(self, form: Mapping[str, str], authorization: str, instance_url: str, now: datetime) -> dict[str, Any]:
        """The answer to a token request; OAuthError if it is refused."""
        kind = form.get("grant_type", "")
        if kind == JWT_BEARER:
            self._check_assertion(form.get("assertion", ""), instance_url, now)
        elif kind == "client_credentials":
            self._check_client(form, authorization)
        elif kind != "refresh_token":
            raise OAuthError("unsupported_grant_type", "grant type not supported")
        token = f"{self._organization_id[:15]}!{secrets.token_urlsafe(72)}"
        with self._lock:
            rotated = self._refresh(form, authorization, token) if kind == "refresh_token" else {}
            self._expiries[token] = now + timedelta(seconds=self.token_seconds)
        return {
            "access_token": token, "scope": "api", "instance_url": instance_url, "token_type": "Bearer",
            "id": f"{instance_url}/id/{self._organization_id}/{self._user_id}", **rotated,
        }  # fmt: skip

    def authorize(self, *, rotates: bool = True) -> Grant:
        """What a user does in a browser: a grant with its first refresh token."""
        grant = Grant(secrets.token_urlsafe(64), rotates)
        with self._lock:
            self._grants.append(grant)
        return grant

    def _refresh(self, form: Mapping[str, str], authorization: str, access_token: str) -> dict[str, str]:
        """Uses a refresh token up. One that comes a second time ends its grant: somebody else has it too."""
        if form.get("client_secret") or authorization:
            self._check_client(form, authorization)
        elif form.get("client_id") != self.credentials.client_id:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        token = form.get("refresh_token", "")
        grant = next((g for g in self._grants if token == g.refresh_token or token in g.used), None)
        if grant is not None and token in grant.used:
            grant.reuses += 1
            grant.revoked = True
            for lost in grant.access_tokens:
                self._expiries.pop(lost, None)
        if grant is None or grant.revoked:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        grant.exchanges += 1
        grant.access_tokens.add(access_token)
        if not grant.rotates:
            return {}
        grant.used.add(token)
        grant.refresh_token = secrets.token_urlsafe(64)
        return {"refresh_token": grant.refresh_token}

    def _check_client(self, form: Mapping[str, str], authorization: str) -> None:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            try:
                client_id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise OAuthError("invalid_client", "invalid client credentials") from None
        if client_id != self.credentials.client_id:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(secret.encode(), self.credentials.client_secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str, instance_url: str, now: datetime) -> None:
        try:
            unverified = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise OAuthError("invalid_grant", "invalid assertion") from None
        if unverified.get("iss") != self.credentials.client_id:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        # Expiry is judged by the org's clock, and some clients send it as text, so not by the library.
        options: Any = {"verify_aud": False, "verify_exp": False}
        try:
            claims = jwt.decode(assertion, self.credentials.public_key, algorithms=["RS256"], options=options)
            expiry = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, OverflowError):
            raise OAuthError("invalid_grant", "invalid assertion") from None
        if claims.get("aud") not in (*_AUDIENCES, instance_url):
            raise OAuthError("invalid_grant", "audience is invalid")
        if expiry <= now:
            raise OAuthError("invalid_grant", "assertion expired")
        if claims.get("sub") != self.credentials.username:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")

    def check_token(self, authorization: str, now: datetime) -> None:
        """Refuse a request whose token is missing, unknown or expired; SalesforceError INVALID_SESSION_ID."""
        scheme, _, token = authorization.partition(" ")
        with self._lock:
            expiry = self._expiries.get(token)
            if scheme not in ("Bearer", "OAuth") or expiry is None or expiry <= now:
                raise SalesforceError(401, "INVALID_SESSION_ID", "Session expired or invalid")
            self._expiries[token] = now + timedelta(seconds=self.token_seconds)

    def expire_tokens(self) -> None:
        """End every session."""
        with self._lock:
            self._expiries.clear()
