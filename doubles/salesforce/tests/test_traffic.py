"""Limits, faults, broken connections and the request log."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from doubles.salesforce import SalesforceServer


def test_every_answer_tells_the_days_usage(server: SalesforceServer, api: Any) -> None:
    server.org.traffic.daily_limit = 50
    used = [api.call("GET", "/limits").headers["Sforce-Limit-Info"] for _ in range(2)]
    assert used == ["api-usage=1/50", "api-usage=2/50"]
    limits = api.call("GET", "/limits").json()["DailyApiRequests"]
    assert limits == {"Max": 50, "Remaining": 47}


def test_the_daily_limit_refuses_until_the_next_day(server: SalesforceServer, api: Any, clock: Any) -> None:
    server.org.traffic.daily_limit = 1
    assert api.call("GET", "/limits").status_code == 200
    refused = api.call("GET", "/limits")
    assert (refused.status_code, refused.json()) == (
        403, [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    )  # fmt: skip
    clock.advance(days=1)
    api.log_in()
    assert api.call("GET", "/limits").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "code", "retry_after"),
    [
        ("request_limit", 403, "REQUEST_LIMIT_EXCEEDED", None),
        ("concurrent_limit", 403, "REQUEST_LIMIT_EXCEEDED", None),
        ("too_many_requests", 429, "REQUEST_LIMIT_EXCEEDED", "1"),
        ("server_unavailable", 503, "SERVER_UNAVAILABLE", "1"),
        ("server_error", 500, "UNKNOWN_EXCEPTION", None),
        ("expired_session", 401, "INVALID_SESSION_ID", None),
        ("invalid_locator", 400, "INVALID_QUERY_LOCATOR", None),
    ],
)
def test_a_fault_answers_the_next_requests_that_match(
    server: SalesforceServer, api: Any, kind: str, status: int, code: str, retry_after: str | None
) -> None:
    server.org.fail_next(kind, count=2, path="/limits$")
    assert api.call("GET", "/sobjects").status_code == 200
    for _ in range(2):
        response = api.call("GET", "/limits")
        assert (response.status_code, response.json()[0]["errorCode"]) == (status, code)
        assert response.headers.get("Retry-After") == retry_after
    assert api.call("GET", "/limits").status_code == 200


def test_who_injects_a_fault_is_told_when_it_is_met(server: SalesforceServer, api: Any) -> None:
    met: list[int] = []
    server.org.traffic.on_fault = lambda: met.append(len(server.org.traffic.requests))
    server.org.fail_next("server_error", path="/limits$")
    api.call("GET", "/sobjects")
    before = len(server.org.traffic.requests)
    assert not met and api.call("GET", "/limits").status_code == 500
    api.call("GET", "/limits")
    assert met == [before]


def test_unavailable_may_be_a_page_of_html(server: SalesforceServer, api: Any) -> None:
    server.org.fail_next("server_unavailable_html", retry_after_seconds=7)
    response = api.call("GET", "/limits")
    assert response.status_code == 503
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.headers["Retry-After"] == "7"


def test_the_token_endpoint_fails_too(server: SalesforceServer) -> None:
    server.org.fail_next("server_unavailable", path="/oauth2/token")
    assert requests.post(f"{server.url}/services/oauth2/token", timeout=30).status_code == 503


def test_a_connection_may_end_before_the_answer(server: SalesforceServer, api: Any) -> None:
    server.org.fail_next("drop")
    with pytest.raises(requests.ConnectionError):
        api.call("GET", "/limits")
    assert api.call("GET", "/limits").status_code == 200


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_connection_may_end_in_the_middle_of_an_answer(server: SalesforceServer, api: Any, encoding: str) -> None:
    server.org.insert("Account", ({"Name": f"Name {number}"} for number in range(1000)))
    headers = {"Accept-Encoding": encoding}
    server.org.fail_next("drop_midway", path="/query")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.query("SELECT Name FROM Account", headers=headers)
    job = api.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Name FROM Account"}).json()
    while api.call("GET", f"/jobs/query/{job['id']}").json()["state"] != "JobComplete":
        pass
    server.org.fail_next("drop_midway", path="/results", drop_after_bytes=1000)
    results = f"/jobs/query/{job['id']}/results"
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.call("GET", results, headers=headers)
    assert api.call("GET", results, headers=headers).text.count("\n") == 1001


def test_an_unknown_fault_is_refused_with_the_known_ones(server: SalesforceServer) -> None:
    with pytest.raises(ValueError, match=r"unknown fault 'flood'; one of .*drop_midway"):
        server.org.fail_next("flood")


def test_the_log_has_every_request_and_no_header(server: SalesforceServer, api: Any) -> None:
    api.query("SELECT Id FROM Account")
    api.call("GET", "/nowhere")
    entries = [(one.method, one.path, one.status) for one in server.org.requests]
    assert entries == [
        ("POST", "/services/oauth2/token", 200),
        ("GET", "/services/data/v60.0/query", 200),
        ("GET", "/services/data/v60.0/nowhere", 404),
    ]
    assert server.org.requests[1].query == {"q": "SELECT Id FROM Account"}
    assert not any("Bearer" in str(one) or "00D" in str(one) for one in server.org.requests)


def test_requests_are_answered_side_by_side(server: SalesforceServer, api: Any) -> None:
    server.org.fail_next("slow", path="/versions-slowly", delay_seconds=60)
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=30) as waiting:
        waiting.sendall(b"GET /versions-slowly HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert [api.call("GET", "/sobjects").status_code for _ in range(3)] == [200] * 3
