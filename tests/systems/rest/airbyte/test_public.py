"""A package of PyPI whose manifest has code of its own, as `atoll source add` brings it: its tables are read, of invented answers."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from console.source import source as command
from shared_metadata.program import Mode
from systems.rest import document, options
from systems.rest.airbyte.client import AirbyteSource
from systems.rest.airbyte.declared import declared
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud
from tests.systems.rest.things import Things

pytestmark = [pytest.mark.deep, pytest.mark.nightly, pytest.mark.budget(120), pytest.mark.timeout(900)]
SYSTEM, PACKAGE = "zendesk_talk", "zendesk-talk@1.0.21"
HOST = "https://{{ config['subdomain'] }}.zendesk.com/"
CREDENTIALS = {"auth_type": "api_token", "email": "me@example.com", "api_token": "right-and-secret"}
BASIC = "Basic " + base64.b64encode(b"me@example.com/token:right-and-secret").decode()
MENUS = [
    {"id": 7, "name": "first", "default": True, "routes": [{"id": 70, "keypress": "1", "action": "menu"}]},
    {"id": 8, "name": "second", "default": False, "routes": [{"id": 80, "keypress": "2"}, {"id": 81, "keypress": "3"}]},
]
IVRS = {"ivrs": [{"id": 1, "name": "one", "menus": MENUS}, {"id": 2, "name": "two", "menus": [MENUS[0] | {"id": 9, "routes": []}]}]}


class Talk(Things):
    """Answers with two pages of what its last word names, each with a record; of some a single one."""

    at: Any = None

    def answer(self, path: str, query: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        if authorization != BASIC:
            return 401, {"error": "no"}
        name = path.rpartition("/")[2]
        if name == "ivr":
            return 200, IVRS
        if name.endswith("_overview") or name == "current_queue_activity":
            return 200, {name: {"total_calls": 5, "agents_online": 5}}
        record = {"id": 2 if "page" in query else 1, "agent_id": 5, "updated_at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}"} if self.at else {}
        return 200, {name: [record], "next_page": None if "page" in query else f"{self.url}{path}?page=2", "count": 2}


@pytest.fixture
def talk(tmp_path: Path, kit: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    """The API, in place of the vendor's in a folder that `atoll source add` has made."""
    monkeypatch.chdir(tmp_path)
    added = CliRunner().invoke(command, ["add", PACKAGE, "--engine", "airbyte"])
    assert added.exit_code == 0 and "13 of 13 tables." in added.output and "licence: MIT" in added.output, added.output
    api = Talk()
    file = document.folder_of(SYSTEM) / document.MANIFEST
    text = file.read_text()
    assert HOST in text and "class_name: source_zendesk_talk.components.ZendeskTalkAuthenticator" in text
    file.write_text(text.replace(HOST, f"{api.url}/"))
    document.document_of.cache_clear()
    options.model_of.cache_clear()
    yield api
    api.close()


def test_all_tables_are_read_by_its_own_login_and_extractors(cloud: Cloud, talk: Talk) -> None:
    given = {"subdomain": "acme", "start_date": "2026-01-01T00:00:00Z"}
    opened = lambda aws: lambda connection, secret: AirbyteSource(connection, secret, document.document_of(SYSTEM), aws)  # noqa: E731
    under_test: Any = SimpleNamespace(
        secret={"credentials": CREDENTIALS}, options=given, declaration=declared(SYSTEM), open_source=opened, collected_name=str.lower
    )
    collecting, found = Collecting(cloud, under_test), dict[str, list[dict[str, Any]]]()
    talk.at = collecting.at
    tables = document.document_of(SYSTEM)["streams"]
    for table in tables:
        collecting.collect(table, how={"mode": Mode.REPLACE})
        collecting.run()
        found[table] = collecting.cloud.rows(collecting.dataset).to_pylist()
    single = {"agents_overview", "account_overview", "current_queue_activity"}
    counts = {table: 1 if table in single else 2 for table in tables} | {"ivr_menus": 3, "ivr_routes": 3}
    assert {table: len(rows) for table, rows in found.items()} == counts
    menus = sorted((row["ivr_id"], row["id"], row["name"]) for row in found["ivr_menus"])
    assert menus == [(1, 7, "first"), (1, 8, "second"), (2, 9, "first")]
    routes = sorted((row["ivr_id"], row["ivr_menu_id"], row["id"], row["keypress"]) for row in found["ivr_routes"])
    assert routes == [(1, 7, 70, "1"), (1, 8, 80, "2"), (1, 8, 81, "3")]
