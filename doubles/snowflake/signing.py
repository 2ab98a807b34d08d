"""Who calls: a token signed by a user's private key, https://docs.snowflake.com/en/developer-guide/sql-api/authenticating."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives import serialization

from doubles.snowflake.errors import Refused
from doubles.snowflake.limits import MOST_JWT_SECONDS


def check_token(account: str, users: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The user. Raises Refused."""
    kind, token = headers.get("X-Snowflake-Authorization-Token-Type", ""), headers.get("Authorization", "")
    if kind != "KEYPAIR_JWT" or not token.startswith("Bearer "):
        raise Refused(401, "390303", "Invalid OAuth access token.")
    try:
        told = jwt.decode(token[7:], options={"verify_signature": False})
        user = str(told["sub"]).partition(".")[2]
        jwt.decode(token[7:], users[user], algorithms=["RS256"])
    except (jwt.PyJWTError, KeyError):
        raise Refused(401, "390144", "JWT token is invalid.") from None
    known = serialization.load_pem_public_key(users[user].encode())
    der = known.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    issuer = f"{account}.{user}.SHA256:{base64.b64encode(hashlib.sha256(der).digest()).decode()}"
    if told["sub"] != f"{account}.{user}" or told["iss"] != issuer or not 0 < told["exp"] - told["iat"] <= MOST_JWT_SECONDS:
        raise Refused(401, "390144", "JWT token is invalid.")
    return user
