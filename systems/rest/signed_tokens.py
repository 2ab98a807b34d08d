"""JSON Web Tokens that a source signs itself: each request's own, or one that is exchanged for an access token."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from systems.rest.expressions import Expressions
from systems.rest.manifest import Node

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # https://www.rfc-editor.org/rfc/rfc7523#section-2.1
LIFE_SECONDS = 1200  # where the manifest says none
HEADERS, CLAIMS = ("kid", "typ", "cty"), ("iss", "sub", "aud")


def signed(expressions: Expressions, auth: Mapping[str, Node], seen: Mapping[str, Any], now: datetime) -> str:
    """The token of a JwtAuthenticator.  seen: what its expressions see.

    Raises ValueError where the key is empty, or none of the algorithm's.
    """
    import jwt  # a source that signs nothing does without

    seen = {**seen, "json_loads": json.loads}
    headers = _said(expressions, auth.get("additional_jwt_headers"), {"typ": "JWT", **(auth.get("jwt_headers") or {})}, HEADERS, seen)
    claims = _said(expressions, auth.get("additional_jwt_payload"), auth.get("jwt_payload") or {}, CLAIMS, seen)
    begun = int(now.timestamp())
    claims |= {"iat": begun, "exp": begun + int(auth.get("token_duration") or LIFE_SECONDS), "nbf": begun}
    try:
        return jwt.encode(claims, _key(expressions, auth, seen), algorithm=str(auth["algorithm"]), headers=headers)
    except (TypeError, NotImplementedError, jwt.PyJWTError) as error:
        raise ValueError(type(error).__name__) from None


def _said(
    expressions: Expressions, more: Node, own: Mapping[str, Node], names: tuple[str, ...], seen: Mapping[str, Any]
) -> dict[str, Any]:
    found: dict[str, Any] = expressions.mapping(more or {}, seen)
    return found | {name: expressions.value(own[name], seen) for name in names if own.get(name)}


def _key(expressions: Expressions, auth: Mapping[str, Node], seen: Mapping[str, Any]) -> Any:
    text, phrase = (expressions.text(auth.get(name) or "", seen) for name in ("secret_key", "passphrase"))
    if not text:
        raise ValueError
    if phrase:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return load_pem_private_key(text.encode(), phrase.encode())
    return base64.b64encode(text.encode()).decode() if auth.get("base64_encode_secret_key") else text
