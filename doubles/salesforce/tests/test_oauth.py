"""The token endpoint's grants and refusals, and how a token ends."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
import requests

from doubles.salesforce import SalesforceServer
from doubles.salesforce.oauth import JWT_BEARER, make_credentials


def ask(server: SalesforceServer, form: dict[str, str]) -> requests.Response:
    return requests.post(f"{server.url}/services/oauth2/token", data=form, timeout=30)


def assertion(server: SalesforceServer, key: str = "", **changes: Any) -> dict[str, str]:
    claims = {
        "iss": server.credentials.client_id,
        "sub": server.credentials.username,
        "aud": "https://login.salesforce.com",
        "exp": int((server.org.now() + timedelta(minutes=3)).timestamp()),
        **changes,
    }
    signed = jwt.encode(claims, key or server.credentials.private_key, algorithm="RS256")
    return {"grant_type": JWT_BEARER, "assertion": signed}


def test_a_signed_assertion_gets_a_token_and_the_instance_url(server: SalesforceServer) -> None:
    answer = ask(server, assertion(server)).json()
    assert answer["instance_url"] == server.url
    assert answer["token_type"] == "Bearer"
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert requests.get(f"{server.url}/services/data/v60.0/limits", headers=headers, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"exp": 1}, "invalid_grant", "assertion expired"),
        ({"aud": "https://example.com"}, "invalid_grant", "audience is invalid"),
        ({"sub": "nobody@example.com"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"iss": "another app"}, "invalid_client_id", "client identifier invalid"),
    ],
)
def test_a_wrong_claim_is_refused(server: SalesforceServer, changes: dict[str, Any], error: str, description: str) -> None:
    response = ask(server, assertion(server, **changes))
    assert response.status_code == 400
    assert response.json() == {"error": error, "error_description": description}


def test_an_assertion_signed_with_another_key_is_refused(server: SalesforceServer) -> None:
    response = ask(server, assertion(server, key=make_credentials().private_key))
    assert response.json() == {"error": "invalid_grant", "error_description": "invalid assertion"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
    ],
)
def test_wrong_client_credentials_are_refused(server: SalesforceServer, changes: dict[str, str], error: str) -> None:
    given = server.credentials
    form = {"grant_type": "client_credentials", "client_id": given.client_id, "client_secret": given.client_secret}
    response = ask(server, {**form, **changes})
    assert (response.status_code, response.json()["error"]) == (400, error)


def test_a_token_ends_when_it_is_not_used_for_long_enough(server: SalesforceServer, api: Any, clock: Any) -> None:
    server.org.authority.token_seconds = 600
    assert api.call("GET", "/limits").status_code == 200
    clock.advance(seconds=601)
    response = api.call("GET", "/limits")
    assert response.status_code == 401
    assert response.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_no_token_and_an_expired_one_are_refused_alike(server: SalesforceServer, api: Any) -> None:
    url = f"{server.url}/services/data/v60.0/limits"
    assert requests.get(url, timeout=30).json()[0]["errorCode"] == "INVALID_SESSION_ID"
    server.org.expire_tokens()
    assert api.call("GET", "/limits").status_code == 401
    api.log_in()
    assert api.call("GET", "/limits").status_code == 200


def refresh(server: SalesforceServer, token: str, **more: str) -> requests.Response:
    return ask(server, {"grant_type": "refresh_token", "refresh_token": token, "client_id": server.credentials.client_id, **more})


def limits(server: SalesforceServer, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{server.url}/services/data/v60.0/limits", headers=headers, timeout=30).status_code


def test_a_refresh_token_is_replaced_at_each_use(server: SalesforceServer) -> None:
    grant = server.org.authority.authorize()
    first = refresh(server, grant.refresh_token).json()
    second = refresh(server, first["refresh_token"], client_secret=server.credentials.client_secret).json()
    assert len({first["refresh_token"], second["refresh_token"], grant.refresh_token}) == 2
    assert limits(server, first["access_token"]) == limits(server, second["access_token"]) == 200


def test_a_used_refresh_token_ends_its_grant(server: SalesforceServer) -> None:
    grant, other = server.org.authority.authorize(), server.org.authority.authorize()
    used = grant.refresh_token
    new = refresh(server, used).json()
    assert refresh(server, used).json() == {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    assert limits(server, new["access_token"]) == 401 and refresh(server, new["refresh_token"]).status_code == 400
    assert (grant.revoked, grant.reuses) == (True, 1)
    assert refresh(server, other.refresh_token).status_code == 200


def test_a_refresh_token_that_does_not_rotate_stays(server: SalesforceServer) -> None:
    grant = server.org.authority.authorize(rotates=False)
    assert all("refresh_token" not in refresh(server, grant.refresh_token).json() for _ in range(2))


@pytest.mark.parametrize("wrong", [{"client_id": "another"}, {"client_secret": "wrong"}, {"refresh_token": "unknown"}])
def test_a_refresh_by_somebody_else_is_refused_and_uses_nothing_up(server: SalesforceServer, wrong: dict[str, str]) -> None:
    grant = server.org.authority.authorize()
    assert refresh(server, **{"token": grant.refresh_token, **wrong}).status_code == 400
    assert refresh(server, grant.refresh_token).status_code == 200
