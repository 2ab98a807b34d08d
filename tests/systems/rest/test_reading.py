"""What a stream asks of an API, and what it makes of the answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from systems.rest.answers import Answer
from systems.rest.covered import not_interpreted
from systems.rest.expressions import Expressions
from systems.rest.manifest import streams_of
from systems.rest.portions import Span
from systems.rest.signed_tokens import signed
from systems.rest.transformations import below
from systems.rest.unread import Unread, unread
from tests.systems.rest.reading import API, NOW, Reading, answer, stream

BEARER = {"authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"}}
OPTION = {"type": "RequestOption", "inject_into": "request_parameter"}


def windows(step: str = "", form: str = "%Y-%m-%dT%H:%M:%SZ") -> dict[str, Any]:
    return {
        "type": "DatetimeBasedCursor",
        "cursor_field": "updated",
        "datetime_format": form,
        "start_datetime": "2026-11-24T00:00:00Z",
        "cursor_granularity": "PT1S",
        "start_time_option": {**OPTION, "field_name": "from"},
        "end_time_option": {**OPTION, "field_name": "to"},
        **({"step": step} if step else {}),
    }


def pages(strategy: dict[str, Any], **token: Any) -> dict[str, Any]:
    return {"paginator": {"type": "DefaultPaginator", "pagination_strategy": strategy, "page_token_option": token}}


# -- pages


@pytest.mark.parametrize(
    ("strategy", "asked"),
    [
        ({"type": "PageIncrement", "page_size": 2, "start_from_page": 1}, [{}, {"p": "2"}, {"p": "3"}]),
        ({"type": "OffsetIncrement", "page_size": 2}, [{}, {"p": "2"}, {"p": "4"}]),
    ],
)
def test_numbered_pages_end_with_the_first_that_is_not_full(strategy: dict[str, Any], asked: list[dict[str, str]]) -> None:
    full, rest = answer([{"id": 1}, {"id": 2}]), answer([{"id": 3}])
    replies = iter([full, full, rest])
    reading = Reading(stream(retriever=pages(strategy, **OPTION, field_name="p")), lambda _: next(replies))
    assert (len(reading.records()), reading.queries) == (5, asked)


def test_a_next_page_is_where_the_link_says() -> None:
    strategy = {
        "type": "CursorPagination",
        "cursor_value": "{{ headers['link']['next']['url'] }}",
        "stop_condition": "{{ 'next' not in headers['link'] }}",
    }
    link = f'<{API}/things?page=2>; rel="next", <{API}/things?page=9>; rel="last"'
    replies = iter([answer([{"id": 1}], link=link), answer([{"id": 2}])])
    reading = Reading(stream(retriever=pages(strategy, type="RequestPath")), lambda _: next(replies))
    assert reading.records() == [{"id": 1}, {"id": 2}] and reading.sent[1].url == f"{API}/things?page=2"


def test_an_answer_that_names_its_own_page_as_the_next_is_for_later() -> None:
    strategy = {"type": "CursorPagination", "cursor_value": "{{ 'same' }}"}
    reading = Reading(stream(retriever=pages(strategy, **OPTION, field_name="p")), lambda _: answer([{"id": 1}]))
    with pytest.raises(RetryLater, match="its own page"):
        reading.records()


# -- credentials


@pytest.mark.security
@pytest.mark.parametrize(
    "where", ["https://elsewhere.example.org/x", "https://api.example.com.example.org/x", "https://api.example.com:444/x"]
)
@pytest.mark.parametrize("how", ["next", "moved"])
def test_a_credential_goes_to_no_host_that_an_answer_names(where: str, how: str) -> None:
    strategy = {"type": "CursorPagination", "cursor_value": "{{ response['next'] }}"}
    told = answer({"next": where}) if how == "next" else answer({}, 302, location=where)
    reading = Reading(stream(requester=BEARER, retriever=pages(strategy, type="RequestPath")), lambda _: told, token="hidden")
    with pytest.raises(DefinitionError, match="which the manifest does not name") as refused:
        reading.records()
    assert len(reading.sent) == 1 and "hidden" not in str(refused.value) and "hosts" in refused.value.remedy


@pytest.mark.security
def test_nothing_goes_in_the_clear_but_to_this_machine() -> None:
    reading = Reading(stream(requester={**BEARER, "url_base": "http://api.example.com"}), lambda _: answer([]), token="hidden")
    with pytest.raises(DefinitionError, match="not encrypted"):
        reading.records()
    assert reading.sent == []


def test_a_request_that_has_moved_is_sent_to_where_it_is() -> None:
    replies = iter([answer({}, 301, location="/repositories/7"), answer([{"id": 1}])])
    reading = Reading(stream(), lambda _: next(replies))
    assert reading.records() == [{"id": 1}] and reading.sent[1].url == f"{API}/repositories/7"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_names_the_secret_and_no_value(status: int) -> None:
    reading = Reading(stream(requester=BEARER), lambda _: answer({"message": "hidden is wrong"}, status), token="hidden")
    with pytest.raises(SecretError, match="the secret thing") as refused:
        reading.records()
    assert "hidden" not in str(refused.value) and refused.value.place == "here"


def test_a_token_that_ends_is_exchanged_once_more() -> None:
    oauth = {
        "type": "OAuthAuthenticator",
        "token_refresh_endpoint": f"{API}/token",
        "client_id": "me",
        "client_secret": "{{ config['secret'] }}",
        "refresh_token": "{{ config['refresh'] }}",
    }
    tokens = iter(["first", "second"])

    def reply(request: Any) -> Any:
        if request.url.endswith("/token"):
            return answer({"access_token": next(tokens), "expires_in": 3600})
        return answer([{"id": 1}]) if request.headers["Authorization"] == "Bearer second" else answer({}, 401)

    reading = Reading(stream(requester={"authenticator": oauth}), reply, secret="s", refresh="r")
    assert reading.records() == [{"id": 1}] and len(reading.sent) == 4


# -- what goes wrong


def test_a_limit_is_waited_for_as_the_answer_says() -> None:
    replies = iter([answer({}, 429, retry_after="7"), answer({}, 503), answer([{"id": 1}])])
    reading = Reading(stream(), lambda _: next(replies))
    assert reading.records() == [{"id": 1}] and reading.paused == [7.0, 2.0]


def test_a_limit_that_lasts_is_for_the_batch_to_wait_for() -> None:
    reading = Reading(stream(), lambda _: answer({}, 429, retry_after="600"))
    with pytest.raises(RetryLater) as later:
        reading.records()
    assert later.value.after_seconds == 600.0 and reading.paused == []


def test_words_of_an_error_are_looked_for_where_an_answer_says_what_went_wrong_and_in_no_record() -> None:
    rule = {"type": "HttpResponseFilter", "error_message_contains": "rate limit", "action": "RETRY"}
    handler = {"error_handler": {"type": "DefaultErrorHandler", "response_filters": [rule]}}
    reading = Reading(stream(requester=handler), lambda _: answer([{"title": "the rate limit is too low"}]))
    assert len(reading.records()) == 1
    refused = Reading(stream(requester=handler), lambda _: answer({"message": "API rate limit exceeded"}, 403, retry_after="99"))
    with pytest.raises(RetryLater):
        refused.records()


def test_an_answer_that_is_no_json_does_not_pass_for_nothing() -> None:
    reading = Reading(stream(), lambda _: answer([]).__class__(200, {}, b"<html>busy</html>"))
    with pytest.raises(RetryLater, match="no JSON"):
        reading.records()


# -- windows


def test_a_span_is_asked_in_steps_that_overlap_and_ends_no_earlier() -> None:
    reading = Reading(stream(incremental_sync=windows("PT12H", "%Y-%m-%d %H")), lambda _: answer([]))
    start, end = datetime(2026, 11, 24, 6, 0, tzinfo=UTC), datetime(2026, 11, 25, 0, 30, tzinfo=UTC)
    reading.records(Span(start, end, NOW + timedelta(days=1)))
    assert [(one["from"], one["to"]) for one in reading.queries] == [
        ("2026-11-24 05", "2026-11-24 18"),
        ("2026-11-24 17", "2026-11-25 01"),
    ]


def test_parents_are_asked_for_whole_however_little_of_their_children_is() -> None:
    parent = stream(incremental_sync=windows())
    router = {
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [{"type": "ParentStreamConfig", "stream": parent, "parent_key": "id", "partition_field": "of"}],
    }
    child = stream(
        requester={"path": "things/{{ stream_partition.of }}/parts"},
        retriever={"partition_router": router},
        incremental_sync=windows(),
    )
    reading = Reading(child, lambda request: answer([{"id": 7}] if "parts" not in request.url else [{"id": 70}]))
    start, end, beyond = NOW - timedelta(hours=1), NOW, NOW + timedelta(days=1)
    assert reading.records(Span(start, end, beyond)) == [{"id": 70}]
    assert [one["to"] for one in reading.queries] == ["2026-11-26T10:30:00Z", "2026-11-25T10:30:00Z"]
    assert "/things/7/parts" in reading.sent[1].url


# -- records


def test_records_are_filtered_and_shaped_as_the_manifest_says() -> None:
    selector = {
        "type": "RecordSelector",
        "extractor": {"type": "DpathExtractor", "field_path": ["data", "*"]},
        "record_filter": {"type": "RecordFilter", "condition": "{{ record['kind'] == 'a' }}"},
    }
    added = {
        "type": "AddFields",
        "fields": [{"path": ["day"], "value": "{{ now_utc().strftime('%Y-%m-%d') }}", "value_type": "string"}],
    }
    removed = {"type": "RemoveFields", "field_pointers": [["kind"]]}
    declared = stream(retriever={"record_selector": selector}, transformations=[added, removed])
    reading = Reading(declared, lambda _: answer({"data": [{"id": 1, "kind": "a"}, {"id": 2, "kind": "b"}]}))
    assert reading.records() == [{"id": 1, "day": "2026-11-25"}]


# -- manifests


def test_what_is_not_interpreted_is_named() -> None:
    declared = stream(retriever={"paginator": {"type": "CustomPaginator", "class_name": "x.Y"}})
    assert not_interpreted(streams_of({"streams": [declared]})["things"]) == ("code x.Y",)


def test_references_and_parameters_reach_what_they_are_for() -> None:
    manifest = {
        "definitions": {"requester": {"type": "HttpRequester", "url_base": API, "path": "{{ parameters['below'] }}"}},
        "streams": [stream(retriever={"requester": {"$ref": "#/definitions/requester"}}, **{"$parameters": {"below": "deep"}})],
    }
    found = streams_of(manifest)["things"]["retriever"]["requester"]
    assert found["$parameters"] == {"below": "deep"} and found["url_base"] == API


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({}, "no list of streams"),
        ({"streams": [{"$ref": "#/definitions/gone"}]}, "which is not there"),
        ({"definitions": {"a": {"$ref": "#/definitions/a"}}, "streams": [{"$ref": "#/definitions/a"}]}, "refers to itself"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_why(manifest: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said) as wrong:
        streams_of(manifest)
    assert wrong.value.remedy


@pytest.mark.security
@pytest.mark.parametrize(
    "text", ["{{ ''.__class__.__mro__ }}", "{{ config.__init__.__globals__ }}", "{{ self._TemplateReference__context }}"]
)
def test_an_expression_gets_at_nothing_but_what_it_is_given(text: str) -> None:
    reading = Reading(stream(requester={"request_parameters": {"x": text}}), lambda _: answer([]), token="hidden")
    try:
        reading.records()
    except DefinitionError:
        return
    assert reading.queries == [{}]


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(max_examples=300)
@given(
    document=st.one_of(JSON_VALUES, st.dictionaries(st.sampled_from(["data", "more", "next"]), JSON_VALUES)),
    path=st.lists(st.sampled_from(["data", "more", ""]), max_size=2),
    indent=st.sampled_from([None, 1, "\t"]),
    ascii_only=st.booleans(),
)
def test_a_list_that_is_left_unread_is_what_it_would_be(document: Any, path: list[str], indent: Any, ascii_only: bool) -> None:
    body = f" {json.dumps(document, indent=indent, ensure_ascii=ascii_only)}\r\n".encode()
    found = unread(body, path)
    records = below(found[0], path) if found else None
    assert (found is not None) == isinstance(below(document, path), list)
    if found and isinstance(records, Unread):
        held = below(document, path)
        assert [*records] == held == json.loads(found[1]) and len(records) == len(held) and records[:2] == held[:2]
        assert not held or records[-1] == held[-1]
        assert {**found[0], path[0]: None} == {**document, path[0]: None} if path else True


BODIES = [
    b"",
    b"{",
    b'{"data": [1}',
    b'{"data": [1]} 2',
    b'{"data": {}}',
    b'{"data": [NaN]}',
    b'\xef\xbb\xbf{"data": []}',
    b'{"more": []}',
]


@pytest.mark.parametrize("body", BODIES)
def test_what_holds_no_list_or_is_not_json_by_the_letter_is_not_left_unread(body: bytes) -> None:
    assert unread(body, ["data"]) is None


def test_an_answer_whose_text_is_none_is_for_later() -> None:
    reading = Reading(stream(), lambda _: Answer(200, {}, b'[{"id": "\xff"}]'))
    with pytest.raises(RetryLater):
        reading.records()


def test_a_filter_and_a_transformation_see_parameters_of_their_own() -> None:
    selector = {
        "type": "RecordSelector",
        "extractor": {"type": "DpathExtractor", "field_path": []},
        "record_filter": {"condition": "{{ record['id'] == parameters['wanted'] }}", "$parameters": {"wanted": 2}},
    }
    step = {
        "type": "AddFields",
        "fields": [{"path": ["of"], "value": "{{ parameters['of'] }}", "value_type": "string"}],
        "$parameters": {"of": "its own"},
    }
    declared = {
        **stream(retriever={"record_selector": selector}),
        "transformations": [step],
        "$parameters": {"wanted": 1, "of": "outer"},
    }
    assert Reading(declared, lambda _: answer([{"id": 1}, {"id": 2}])).records() == [{"id": 2, "of": "its own"}]


@pytest.mark.parametrize("name", ["app", "123456", "1e5"])
def test_what_a_token_says_of_its_issuer_is_a_text(name: str) -> None:
    said = {"iss": "{{ config['app'] }}", "sub": "{{ config['app'] }}"}
    auth = {"algorithm": "HS256", "secret_key": "{{ config['key'] }}", "jwt_payload": said, "jwt_headers": {"kid": said["iss"]}}
    token = signed(Expressions(NOW), auth, {"config": {"app": name, "key": "x" * 40}}, NOW)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], jwt.get_unverified_header(token)["kid"]) == (name, name, name)


def test_a_claim_that_is_no_json_is_not_told_of_the_key() -> None:
    auth = {"algorithm": "HS256", "secret_key": "x" * 40, "additional_jwt_payload": {"at": NOW}}
    with pytest.raises(DefinitionError, match="puts into a token what is no JSON"):
        signed(Expressions(NOW), auth, {"config": {}}, NOW)


def test_a_client_that_a_header_names_is_in_no_form() -> None:
    oauth = {
        "type": "OAuthAuthenticator",
        "token_refresh_endpoint": f"{API}/token",
        "client_id": "me",
        "client_secret": "{{ config['secret'] }}",
        "refresh_token": "long",
        "refresh_request_headers": {"Authorization": "Basic {{ config['secret'] }}"},
    }
    reading = Reading(stream(requester={"authenticator": oauth}), lambda _: answer({"access_token": "t"}), secret="hidden")
    reading.records()
    asked = reading.sent[0]
    assert asked.headers["Authorization"] == "Basic hidden"
    assert asked.body == b"grant_type=refresh_token&refresh_token=long"
