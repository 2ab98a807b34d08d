"""JSON Web Tokens that a source signs itself: each request's own, or one that is exchanged for an access token."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared_metadata.errors import DefinitionError
from systems.rest.expressions import TEXT, Expressions
from systems.rest.manifest import Node

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # https://www.rfc-editor.org/rfc/rfc7523#section-2.1
LIFE_SECONDS = 1200  # where the manifest says none
HEADERS, CLAIMS = ("kid", "typ", "cty"), ("iss", "sub", "aud")
LISTED = "aud"  # may be several; of all others each is a text, also where that reads as a number


def signed(expressions: Expressions, auth: Mapping[str, Node], seen: Mapping[str, Any], now: datetime) -> str:
    """The token of a JwtAuthenticator.  seen: what its expressions see.

    Raises ValueError where the key is empty, or none of the algorithm's; DefinitionError where JSON has no words for what it says.
    """
    import jwt  # a source that signs nothing does without

    seen = {**seen, "json_loads": json.loads}
    headers = _said(expressions, auth.get("additional_jwt_headers"), {"typ": "JWT", **(auth.get("jwt_headers") or {})}, HEADERS, seen)
    claims = _said(expressions, auth.get("additional_jwt_payload"), auth.get("jwt_payload") or {}, CLAIMS, seen)
    begun = int(now.timestamp())
    claims |= {"iat": begun, "exp": begun + int(auth.get("token_duration") or LIFE_SECONDS), "nbf": begun}
    try:
        json.dumps([headers, claims])
    except (TypeError, ValueError):
        raise DefinitionError(
            "the manifest puts into a token what is no JSON", remedy="compare what it says in jwt_payload"
        ) from None
    try:
        return jwt.encode(claims, _key(expressions, auth, seen), algorithm=str(auth["algorithm"]), headers=headers)
    except (TypeError, NotImplementedError, jwt.PyJWTError) as error:
        raise ValueError(type(error).__name__) from None


def _said(
    expressions: Expressions, more: Node, own: Mapping[str, Node], names: tuple[str, ...], seen: Mapping[str, Any]
) -> dict[str, Any]:
    found: dict[str, Any] = expressions.mapping(more or {}, seen)
    found |= {name: expressions.value(own[name], seen, None if name == LISTED else TEXT) for name in names if own.get(name)}
    texts = {name: str(found[name]) for name in names if name != LISTED and found.get(name) is not None}
    return {name: value for name, value in found.items() if value is not None} | texts


def _key(expressions: Expressions, auth: Mapping[str, Node], seen: Mapping[str, Any]) -> Any:
    text, phrase = (expressions.text(auth.get(name) or "", seen) for name in ("secret_key", "passphrase"))
    if not text:
        raise ValueError
    if phrase:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return load_pem_private_key(text.encode(), phrase.encode())
    return base64.b64encode(text.encode()).decode() if auth.get("base64_encode_secret_key") else text
