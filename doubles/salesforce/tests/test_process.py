"""The double as a process of its own: its JSON door, and its state across a restart."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from doubles.salesforce import SalesforceServer

SCHEMA = [{"name": "Account", "fields": [{"name": "Rating__c", "type": "int"}]}, {"name": "Fleet__c", "fields": []}]


@contextmanager
def running(directory: Path) -> Iterator[str]:
    schema = directory / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    command = [sys.executable, "-m", "doubles.salesforce", "--data", str(directory / "data"), "--schema", str(schema)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            assert process.wait(timeout=30) == 0


def door(url: str, method: str, path: str, body: Any = None) -> Any:
    response = requests.request(method, f"{url}/double/{path}", data=body and json.dumps(body), timeout=30)
    assert response.status_code == 200, response.text
    return response.json()


def log_in(url: str) -> dict[str, str]:
    given = door(url, "GET", "credentials")
    form = {"grant_type": "client_credentials", **{key: given[key] for key in ("client_id", "client_secret")}}
    token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=30).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def query(url: str, headers: dict[str, str], soql: str) -> Any:
    return requests.get(f"{url}/services/data/v60.0/query", params={"q": soql}, headers=headers, timeout=30)


def test_a_taken_port_is_an_error_at_the_start(tmp_path: Path) -> None:
    with running(tmp_path) as url, pytest.raises(OSError, match="in use"):
        SalesforceServer(port=int(url.rpartition(":")[2])).__enter__()


def test_rows_credentials_and_jobs_survive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as url:
        credentials = door(url, "GET", "credentials")
        headers = log_in(url)
        (record_id,) = door(url, "POST", "objects/Account/rows", [{"Name": "kept", "Rating__c": 5}])["ids"]
        job = {"operation": "query", "query": "SELECT Id FROM Account"}
        jobs_url = f"{url}/services/data/v60.0/jobs/query"
        job_id = requests.post(jobs_url, json=job, headers=headers, timeout=30).json()["id"]
    with running(tmp_path) as url:
        assert door(url, "GET", "credentials") == credentials
        headers = log_in(url)
        assert query(url, headers, "SELECT Id FROM Account WHERE Rating__c = 5").json()["records"][0]["Id"] == record_id
        (second,) = door(url, "POST", "objects/Account/rows", [{"Name": "new"}])["ids"]
        assert second != record_id
        assert requests.get(f"{url}/services/data/v60.0/jobs/query/{job_id}", headers=headers, timeout=30).status_code == 200


def test_the_door_changes_schema_rows_faults_and_settings(tmp_path: Path) -> None:
    with running(tmp_path) as url:
        headers = log_in(url)
        door(url, "POST", "objects", [{"name": "Case", "fields": [{"name": "Subject"}], "name_field": False}])
        door(url, "POST", "objects/Case/fields", {"name": "Priority__c", "type": "picklist"})
        door(url, "DELETE", "objects/Case/fields/Subject")
        door(url, "DELETE", "objects/Fleet__c")
        assert [one["name"] for one in door(url, "GET", "objects")] == ["Account", "Case"]
        rows = requests.post(f"{url}/double/objects/Case/rows", data="Priority__c\nHigh\nLow\n", timeout=30)
        assert len(rows.json()["ids"]) == 2
        assert query(url, headers, "SELECT Priority__c FROM Case WHERE Priority__c = 'High'").json()["totalSize"] == 1
        door(url, "POST", "faults", {"kind": "server_unavailable", "path": "/query", "count": 5})
        assert query(url, headers, "SELECT Id FROM Case").status_code == 503
        door(url, "DELETE", "faults")
        assert door(url, "POST", "settings", {"query_page_rows": 1})["query_page_rows"] == 1
        assert query(url, headers, "SELECT Id FROM Case").json()["done"] is False
        door(url, "POST", "expire-tokens")
        assert query(url, headers, "SELECT Id FROM Case").status_code == 401
        assert [one["status"] for one in door(url, "GET", "requests")] == [200, 200, 503, 200, 401]
        mistake = requests.post(f"{url}/double/settings", data='{"colour": 1}', timeout=30)
        assert (mistake.status_code, "unknown setting colour" in mistake.text) == (400, True)
