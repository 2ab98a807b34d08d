"""Google's exchanges for an access token: of a user's refresh token, and of what a service account has signed.

https://developers.google.com/identity/protocols/oauth2/web-server#offline and …/oauth2/service-account#httprest
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from doubles.rest_api.server import BASE, Api, Asked, Said

ACCESS = "ya29.exchanged"
ACCOUNT, KEY_ID = "reader@project.iam.gserviceaccount.com", "ab12"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MOST_SECONDS = 3600  # between `iat` and `exp`
LATE_SECONDS = 300  # by which clocks may differ


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file() -> dict[str, str]:
    """The file that Google gives with a new key of a service account."""
    kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    text = private_key().private_bytes(*kind).decode()
    said = {"type": "service_account", "project_id": "project", "client_id": "1234567890", "token_uri": f"{BASE}/token"}
    return {**said, "private_key_id": KEY_ID, "private_key": text, "client_email": ACCOUNT}


def exchanged(api: Api, asked: Asked, scope: str) -> Said:
    """scope: of which the access token has to be."""
    if asked.body.get("grant_type") == [JWT_BEARER]:
        why = _why_not(asked.body.get("assertion", [""])[0], f"http://{asked.headers['host']}/token", scope)
        if why:
            return Said(400, {"error": "invalid_grant", "error_description": why})
    elif asked.body.get("refresh_token") != [api.token] or asked.body.get("grant_type") != ["refresh_token"]:
        return Said(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
    return Said(200, {"access_token": ACCESS, "expires_in": 3599, "token_type": "Bearer"})


def _why_not(assertion: str, audience: str, scope: str) -> str:
    """Why an assertion is not taken; '' where it is."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims: Mapping[str, object] = jwt.decode(
            assertion, private_key().public_key(), ["RS256"], audience=audience, leeway=LATE_SECONDS
        )
    except jwt.PyJWTError as error:
        return f"Invalid JWT: {type(error).__name__}"
    issued, ends = (int(str(claims.get(name, 0))) for name in ("iat", "exp"))
    if abs(time.time() - issued) > LATE_SECONDS or not 0 < ends - issued <= MOST_SECONDS:
        return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
    right = header.get("kid") == KEY_ID, claims.get("iss") == ACCOUNT, claims.get("scope") == scope
    return "" if all(right) else "Invalid JWT: of another key, account or scope."
