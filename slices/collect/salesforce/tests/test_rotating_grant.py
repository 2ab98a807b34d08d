"""Batches over a grant whose refresh token rotates: the double ends a grant whose used token comes again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from doubles.salesforce.oauth import Grant
from shared_metadata import naming
from shared_metadata.contract.collect import CollectSteps
from slices.collect.salesforce.client import open_source
from slices.collect.salesforce.slice import SLICE
from slices.collect.salesforce.tests.conftest import EARLIER, HERE, Crm
from tests.conformance.fixtures import FakeContext, run_batch


class Rotating:
    """The CRM behind such a grant."""

    def __init__(self, crm: Crm) -> None:
        self.crm, self.grant = crm, Grant("")
        crm.options = {"rotating_grant": True}
        self.authorize()
        crm.org.insert("Account", [{"Name": "Envoy"}, {"Name": "Mesquite"}], EARLIER)
        crm.apply()

    def authorize(self) -> None:
        """As a user does in a browser; the new refresh token is stored by hand."""
        self.grant = self.crm.org.authority.authorize()
        client_id = self.crm.server.credentials.client_id
        secret = {"client_id": client_id, "refresh_token": self.grant.refresh_token, "login_url": self.crm.server.url}
        self.crm.cloud.put_secret("crm", secret)

    def steps(self) -> CollectSteps:
        """As a process of its own makes them."""
        services = self.crm.cloud.services(SLICE.id)
        return CollectSteps(SLICE, services, partial(open_source, aws=self.crm.cloud.session, grant_of=services.grant))

    def insert(self, name: str) -> None:
        """In the time of the next batch."""
        self.crm.org.insert("Account", [{"Name": name}], self.crm.cloud.clock.now)

    def names(self) -> list[str]:
        run_batch(self.steps(), self.crm.cloud.event("lake.crm"))
        return self.crm.names()

    def stored(self) -> Any:
        found = self.crm.cloud.session.client("secretsmanager").get_secret_value(SecretId=naming.secret("crm"))
        return json.loads(found["SecretString"])


@pytest.fixture
def rotating(crm: Crm) -> Rotating:
    return Rotating(crm)


def test_one_exchange_serves_every_step_and_batch_until_its_token_ends(rotating: Rotating) -> None:
    assert rotating.names() == ["Envoy", "Mesquite"]
    rotating.insert("Comet")
    assert rotating.names() == ["Comet"]
    assert (rotating.grant.exchanges, rotating.stored()["refresh_token"]) == (1, rotating.grant.refresh_token)
    rotating.crm.org.expire_tokens()
    rotating.insert("Delta")
    assert "Delta" in rotating.names()
    assert (rotating.grant.exchanges, rotating.grant.reuses) == (2, 0)


def test_functions_whose_tokens_end_at_once_never_use_a_refresh_token_twice(rotating: Rotating) -> None:
    rotating.names()
    for _ in range(3):
        rotating.crm.org.expire_tokens()
        services = [rotating.crm.cloud.services(SLICE.id) for _ in range(6)]
        connection = rotating.crm.cloud.reader.active_program().connections["crm"]
        sources = [open_source(connection, rotating.stored(), grant_of=each.grant) for each in services]
        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(lambda source: "Account" in source.tables(), sources))
    assert (rotating.grant.exchanges, rotating.grant.reuses) == (4, 0)


def test_a_grant_that_is_over_says_who_has_to_do_what_and_goes_on_when_it_is_done(rotating: Rotating) -> None:
    rotating.grant.revoked = True
    (failed,) = run_batch(rotating.steps(), rotating.crm.cloud.event("lake.crm"), record_errors=True).planned["failed"]
    assert failed["error"].startswith("SecretError: connection crm (program.atoll:3:1): ") and "authorise again" in failed["error"]
    assert "atoll secret crm FILE" in failed["error"] and rotating.grant.refresh_token not in failed["error"]
    rotating.authorize()
    assert rotating.names() == ["Envoy", "Mesquite"]


def test_a_server_that_does_not_rotate_keeps_the_refresh_token(rotating: Rotating) -> None:
    rotating.grant.rotates = False
    rotating.names()
    assert rotating.stored()["refresh_token"] == rotating.grant.refresh_token and rotating.stored()["access_token"]


@pytest.mark.parametrize(
    ("options", "secret", "said"),
    [
        ({}, {"client_id": "app", "refresh_token": "r"}, "rotating_grant = TRUE"),
        ({"rotating_grant": True}, {"client_id": "app"}, "no refresh_token"),
        ({"rotating_grant": True}, {"refresh_token": "r"}, "no client_id"),
    ],
)
def test_what_does_not_fit_is_named(rotating: Rotating, options: dict[str, Any], secret: dict[str, str], said: str) -> None:
    rotating.crm.options = options
    rotating.crm.cloud.put_secret("crm", secret)
    rotating.crm.apply()
    (failed,) = rotating.steps().plan(rotating.crm.cloud.event("lake.crm"), FakeContext())["failed"]
    assert said in failed["error"] and str(HERE) in failed["error"] and not rotating.grant.exchanges
