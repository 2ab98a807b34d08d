"""A refresh token that is replaced at each use: through the rotating grant, by one function after another, and beside another."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from shared_metadata import naming
from shared_metadata.contract.secrets.grant_lease import GrantLeases
from shared_metadata.contract.secrets.rotating_grant import RotatingGrant
from shared_metadata.errors import SecretError
from systems.rest.requests import Request
from tests.conformance.fixtures import Cloud, cloud
from tests.systems.rest.reading import API, Reading, answer, stream

__all__ = ["cloud"]
REFERENCE = "rotating"
OAUTH = {
    "type": "OAuthAuthenticator",
    "token_refresh_endpoint": f"{API}/token",
    "client_id": "me",
    "client_secret": "{{ config['client_secret'] }}",
    "refresh_token": "{{ config['refresh_token'] }}",
}
PAGES = {
    "type": "DefaultPaginator",
    "pagination_strategy": {"type": "CursorPagination", "cursor_value": "{{ response['next'] }}"},
    "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "after"},
}
THINGS = stream(
    requester={"authenticator": OAUTH},
    retriever={
        "paginator": PAGES,
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["things"]}},
    },
)


class Server:
    """Replaces the refresh token at each use, and ends the grant when one is used twice; an access token lives for so many pages."""

    def __init__(self, pages: int, lives: int) -> None:
        self.pages, self.lives = pages, lives
        self.refresh, self.number, self.left, self.reused = "refresh-0", 0, 0, False

    def reply(self, request: Request) -> Any:
        if request.url.endswith("/token"):
            return self._exchange(dict(parse_qsl((request.body or b"").decode())))
        if request.headers["Authorization"] != f"Bearer access-{self.number}" or not self.left:
            return answer({}, 401)
        self.left -= 1
        page = int(dict(parse_qsl(request.url.partition("?")[2])).get("after", 0))
        return answer({"things": [{"id": page}], "next": page + 1 if page + 1 < self.pages else None})

    def _exchange(self, form: dict[str, str]) -> Any:
        if form["refresh_token"] != self.refresh:
            self.reused, self.refresh = True, ""
            return answer({"error": "invalid_grant"}, 400)
        self.number, self.left = self.number + 1, self.lives
        self.refresh = f"refresh-{self.number}"
        return answer({"access_token": f"access-{self.number}", "refresh_token": self.refresh, "expires_in": 3600})


class Scene:
    def __init__(self, cloud: Cloud, server: Server) -> None:
        self.cloud, self.server, self.read = cloud, server, 0
        self.secrets = cloud.session.client("secretsmanager")
        cloud.put_secret(REFERENCE, {"client_secret": "hidden", "refresh_token": server.refresh})

    @property
    def stored(self) -> dict[str, str]:
        return dict(json.loads(self.secrets.get_secret_value(SecretId=naming.secret(REFERENCE))["SecretString"]))

    def function(self) -> Reading:
        """A process of its own, which read the secret when it began."""
        leases = GrantLeases(self.cloud.session.client("dynamodb"), self.cloud.table, self.cloud.clock)
        grant = RotatingGrant(leases, self.secrets, REFERENCE, "here", lambda: 600.0)
        return Reading(THINGS, self.server.reply, grant=grant, **self.stored)


def exchanges(reading: Reading) -> int:
    return sum(request.url.endswith("/token") for request in reading.sent)


def test_each_function_goes_on_with_what_the_one_before_it_stored(cloud: Cloud) -> None:
    scene = Scene(cloud, Server(pages=2, lives=3))
    readings = [scene.function() for _ in range(4)]  # all of them have read the first refresh token
    for reading in readings:
        assert [record["id"] for record in reading.records()] == [0, 1]
    assert not scene.server.reused and sum(map(exchanges, readings)) == scene.server.number == 3
    assert scene.stored["refresh_token"] == scene.server.refresh and scene.stored["client_secret"] == "hidden"


def test_a_token_that_ends_between_two_pages_is_replaced_and_no_page_is_lost(cloud: Cloud) -> None:
    scene = Scene(cloud, Server(pages=7, lives=2))
    reading = scene.function()
    assert [record["id"] for record in reading.records()] == [*range(7)]
    assert (exchanges(reading), scene.server.reused) == (4, False)


def test_a_token_that_is_refused_as_soon_as_it_is_new_is_not_asked_for_without_end(cloud: Cloud) -> None:
    scene = Scene(cloud, Server(pages=1, lives=0))
    reading = scene.function()
    with pytest.raises(SecretError, match="the secret thing"):
        reading.records()
    assert exchanges(reading) == 2


def test_a_grant_that_has_ended_says_what_to_store_and_no_token(cloud: Cloud) -> None:
    scene = Scene(cloud, Server(pages=1, lives=1))
    scene.server.refresh = "another"
    with pytest.raises(SecretError) as lost:
        scene.function().records()
    assert "refresh-0" not in str(lost.value) and "hidden" not in str(lost.value) and REFERENCE in lost.value.remedy
