"""Google's exchange of a refresh token, by https://developers.google.com/identity/protocols/oauth2/web-server#offline."""

from __future__ import annotations

from doubles.rest_api.server import Api, Asked, Said

ACCESS = "ya29.exchanged"


def exchanged(api: Api, asked: Asked) -> Said:
    if asked.body.get("refresh_token") != [api.token] or asked.body.get("grant_type") != ["refresh_token"]:
        return Said(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
    return Said(200, {"access_token": ACCESS, "expires_in": 3599, "token_type": "Bearer"})
