"""Rows that change, come or go between two numbered pages: none that stays is left out, and none is staged twice by a REPLACE."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import RetryLater
from systems.rest.extracting import Extraction
from systems.rest.parents import Parents
from systems.rest.passes import MOST_PASSES, Moving, Passes
from systems.rest.portions import Portion, Span
from systems.rest.reader import Reader
from systems.rest.requests import Request
from tests.systems.rest.reading import NOW, Reading, answer, stream

SIZE = 5
OPTION = {"type": "RequestOption", "inject_into": "request_parameter"}
PAGES = {
    "type": "DefaultPaginator",
    "pagination_strategy": {"type": "PageIncrement", "page_size": SIZE},
    "page_token_option": {**OPTION, "field_name": "page"},
}
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "changed": {"type": "integer"}}}
KEYED: dict[str, Any] = {"primary_key": "id", "schema_loader": {"type": "InlineSchemaLoader", "schema": SCHEMA}}
ORDERS = {
    "by id": lambda row: (row["id"],),
    "oldest change first": lambda row: (row["changed"], row["id"]),
    "newest change first": lambda row: (-row["changed"], row["id"]),
    "by what is not told": lambda row: (-row["changed"] % 97, row["id"]),
}
# What a stream makes of records, of which the API tells `id` and `changed`, or says them otherwise.
SHAPES: dict[str, dict[str, Any]] = {
    "as they are": {},
    "by their transformations": {
        "transformations": [
            {"type": "KeysReplace", "old": "THE_", "new": ""},
            {"type": "KeysToLower"},
            {"type": "RemoveFields", "field_pointers": [["asked"]]},
        ]
    },
    "by their filter": {"filtered": "{{ record['id'] % 3 != 0 }}"},
    "by both": {
        "transformations": [{"type": "AddFields", "fields": [{"path": ["id"], "value": "{{ record['number'] }}"}]}],
        "filtered": "{{ record['number'] % 3 != 0 }}",
    },
}


class Table:
    """Rows in pages by number, which change after so many of the pages.

    closed: changed rows leave what is asked for.  shape: of the stream that reads them.  asked: how often it was asked.
    """

    def __init__(self, rows: int, order: str, closed: bool, changes: int, seed: int, shape: str = "as they are") -> None:
        self.shape, self.told, self.asked = shape, order != "by what is not told", 0
        self.rows = {number: {"id": number, "changed": number * 7 % 31} for number in range(rows)}
        self.order, self.closed, self.changes, self.chance = ORDERS[order], closed, changes, random.Random(seed)
        self.stayed, self.moment = set(self.rows), 1000

    def answer(self, request: Request) -> Any:
        page = int(dict(parse_qsl(urlsplit(request.url).query)).get("page", 0))
        rows = sorted((row for row in self.rows.values() if not (self.closed and row["changed"] >= 1000)), key=self.order)
        self.asked += 1
        found = [self._said(row) for row in rows[page * SIZE :][:SIZE]]
        self._change()
        return answer(found)

    def read(self) -> dict[str, Any]:
        """The stream that reads them."""
        said = dict(SHAPES[self.shape])
        selector: dict[str, Any] = {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}}
        if condition := said.pop("filtered", ""):
            selector["record_filter"] = {"type": "RecordFilter", "condition": condition}
        return stream(retriever={"paginator": PAGES, "record_selector": selector}, **KEYED, **said)

    @property
    def wanted(self) -> set[int]:
        """The ids of rows that stay, and that the stream takes."""
        return {one for one in self.stayed if one % 3} if "filter" in self.shape or "both" in self.shape else self.stayed

    def _said(self, row: dict[str, int]) -> dict[str, int]:
        """A row as the API tells it: without what it is ordered by, in some; in others with what is different each time."""
        told = dict(row) if self.told else {"id": row["id"]}
        if self.shape == "by their transformations":
            return {f"THE_{name.upper()}": value for name, value in told.items()} | {"asked": self.asked}
        if self.shape == "by both":
            told["number"] = told.pop("id")
        return told

    def _change(self) -> None:
        if self.changes <= 0:
            return
        self.changes, self.moment = self.changes - 1, self.moment + 1
        what, number = self.chance.choice(("update", "update", "delete", "insert")), self.chance.choice([*self.rows] or [0])
        if what == "insert":
            self.rows[-self.moment] = {"id": -self.moment, "changed": self.moment}
            return
        self.stayed.discard(number)
        if what == "delete":
            self.rows.pop(number, None)
        elif number in self.rows:
            self.rows[number]["changed"] = self.moment


class Files:
    """What would be Parquet, as records by file."""

    def __init__(self) -> None:
        self.written: dict[int, list[Any]] = {}

    def from_pages(self, pages: list[Path], number: int) -> dict[str, Any]:
        self.written[number] = [record for page in pages for record in json.loads(page.read_text())]
        return {"key": number}


class Asked:
    """The request of an extract, without a program around it, and its staging."""

    dataset, part, call = "things", 0, "call"

    def __init__(self) -> None:
        self.out, self.staging, self.documents = self, self, dict[str, str]()

    def write(self, value: Any, dataset: str, name: str) -> None:
        self.documents[name] = json.dumps(value)

    def read(self, dataset: str, name: str) -> Any:
        return json.loads(self.documents[name])


class Time(Deadline):
    """A deadline that is near after each page."""

    near = True


def extracted(table: Table, *, hurried: bool = False) -> list[int]:
    """The ids that are staged, in calls that read all or one page each."""
    files, asked, done, resume = Files(), Asked(), list[int](), None
    reading = Reading(table.read(), table.answer, numbered=True)
    while True:
        reader: Reader = reading.reader
        extraction = Extraction(reader, reading.stream, asked, [Portion()], files, "salt")  # type: ignore[arg-type]
        found = extraction.run(resume, Time(0.0) if hurried else Deadline(float("inf")))
        done += [file["key"] for file in found.files]
        if found.resume is None:
            return [record["id"] for number in done for record in files.written[number]]
        resume = json.loads(json.dumps(found.resume))


def settled(read: Callable[[], list[int]]) -> list[int]:
    """What is read in the end, where a batch is tried again for rows that move too fast; these do no longer, at some time."""
    for _ in range(5):
        with contextlib.suppress(Moving):
            return read()
    raise AssertionError("it never comes to rest")


@settings(max_examples=300)
@given(
    rows=st.integers(0, 40),
    order=st.sampled_from([*ORDERS]),
    closed=st.booleans(),
    changes=st.integers(0, 20),
    hurried=st.booleans(),
    seed=st.integers(0, 10_000),
    shape=st.sampled_from([*SHAPES]),
)
def test_no_row_that_stays_is_left_out_and_none_is_staged_twice(
    rows: int, order: str, closed: bool, changes: int, hurried: bool, seed: int, shape: str
) -> None:
    """Whatever the stream makes of its records, and leaves out of them: those move the others, too."""
    table = Table(rows, order, closed, changes, seed, shape)
    found = settled(lambda: extracted(table, hurried=hurried))
    assert table.wanted <= {*found}
    assert len(found) == len({*found})


def test_read_once_rows_are_left_out() -> None:
    """What is looked for happens: the same table, pages and changes, read as they come."""
    lost = 0
    for seed in range(20):
        table = Table(40, "oldest change first", True, 20, seed)
        reading = Reading(stream(retriever={"paginator": PAGES}), table.answer)
        lost += len(table.stayed - {record["id"] for record in reading.reader.records(reading.stream, Portion())})
    assert lost > 20


@settings(max_examples=100)
@given(
    rows=st.integers(0, 40),
    order=st.sampled_from([*ORDERS]),
    closed=st.booleans(),
    changes=st.integers(0, 20),
    seed=st.integers(0, 9),
    shape=st.sampled_from([*SHAPES]),
)
def test_no_parent_that_stays_is_left_out(rows: int, order: str, closed: bool, changes: int, seed: int, shape: str) -> None:
    """constructorfabric/insight#3376: a repository that moved between two pages was not visited, nor what lies below it."""
    table = Table(rows, order, closed, changes, seed, shape)
    reading = Reading(table.read(), table.answer, numbered=True)
    found = settled(lambda: [*reading.reader.each(reading.stream, Portion(), lambda record: record["id"])])
    assert table.wanted <= {*found} and len(found) == len({*found})


@settings(max_examples=100)
@given(
    rows=st.integers(0, 40),
    order=st.sampled_from([*ORDERS]),
    closed=st.booleans(),
    changes=st.integers(0, 9),
    seed=st.integers(0, 9),
    numbered=st.booleans(),
)
def test_parents_are_the_same_when_each_of_their_pages_is_a_call_s_last(
    rows: int, order: str, closed: bool, changes: int, seed: int, numbered: bool
) -> None:
    """And no page is asked for twice."""
    found = []
    for hurried in (False, True):
        table = Table(rows, order, closed, changes if numbered else 0, seed)
        reading = Reading(child_of(stream(retriever={"paginator": PAGES}, **KEYED)), table.answer, numbered=numbered)
        asked, kept, calls = Asked(), list[str](), 0
        while True:
            calls, asked.call = calls + 1, str(calls)
            time = Time(0.0) if hurried else Deadline(float("inf"))
            parents = Parents(reading.reader, asked, kept, "salt", time)  # type: ignore[arg-type]
            portions = parents.portions(reading.stream, Span(None, NOW, NOW))
            if portions is not None:
                break
            assert parents.pages == 1
            kept = json.loads(json.dumps(parents.keep()))
        found.append(([portion.partition["parent"] for portion in portions], len(reading.sent), calls))
        assert table.stayed <= {*found[-1][0]} and len(found[-1][0]) == len({*found[-1][0]})
    (at_once, sent, _), (by_pages, sent_by_pages, calls) = found
    assert at_once == by_pages and sent == sent_by_pages and calls == max(sent, 1)


def child_of(parent: dict[str, Any]) -> dict[str, Any]:
    told = {"type": "ParentStreamConfig", "stream": {**parent, "name": "parents"}, "parent_key": "id", "partition_field": "parent"}
    return stream(retriever={"partition_router": {"type": "SubstreamPartitionRouter", "parent_stream_configs": [told]}})


class Pushed(Table):
    """Before its rows stands another one as each pass begins, which the stream's filter does not take; after a page it goes."""

    def __init__(self) -> None:
        super().__init__(2 * SIZE + 2, "by id", False, 0, 0, "by their filter")
        self.stayed.discard(0)

    def _change(self) -> None:
        if self.asked % 3 == 1:
            self.rows.pop(min(0, *self.rows), None)
        elif self.asked in (3, 6):
            self.rows[-self.asked] = {"id": -self.asked, "changed": 0}


def test_a_row_that_is_between_two_pages_in_each_pass_is_not_left_out() -> None:
    """That such passes are not alike only the records show which the filter leaves out."""
    table = Pushed()
    assert sorted(extracted(table)) == sorted(table.wanted) and table.asked == 15


def test_one_page_is_read_once_and_several_that_stand_still_twice() -> None:
    for rows, asked in ((SIZE - 1, 1), (SIZE * 2 + 1, 6)):
        table, sent = Table(rows, "by id", False, 0, 0), list[Request]()
        told = table.answer
        table.answer = lambda request, told=told, sent=sent: (sent.append(request), told(request))[1]  # type: ignore[method-assign]
        assert (len(extracted(table)), len(sent)) == (rows, asked)


def taken_after(passes: Passes, pages_of: Callable[[int], list[list[Any]]]) -> int:
    """How many passes were read.  pages_of: a pass's number, from 0 on ▸ its pages."""
    for number in range(MOST_PASSES):
        pages = pages_of(number)
        for at, page in enumerate(pages):
            passes.see(page, at == len(pages) - 1)
        passes = Passes(("id",), "salt", json.loads(json.dumps(passes.state())))
        if passes.end(stream()):
            return number + 1
    raise AssertionError


def test_a_key_that_is_none_stands_twice_in_each_pass_of_which_the_last_is_taken() -> None:
    pages = [[{"id": 1, "at": 1}, {"id": 2, "at": 1}], [{"id": 2, "at": 2}, {}]]
    assert taken_after(Passes(("id",), "salt"), lambda _: pages) == MOST_PASSES


@pytest.mark.parametrize("number", [1, MOST_PASSES])
def test_passes_go_on_from_what_was_kept_without_an_order(number: int) -> None:
    former = {"number": number, "before": "7", "pages": 1, "seen": "7", "twice": False, "keys": ["7"]}
    passes = Passes(("id",), "salt", former)
    passes.see([{"id": 2}], True)
    assert not passes.end(stream())
    assert taken_after(passes, lambda _: [[{"id": 1}], [{"id": 2}]]) <= 2


def test_a_record_that_moves_in_each_pass_is_never_staged_twice() -> None:
    """However often passes show the same keys: a row that is busy stands before the others' end and behind it."""
    busy = lambda number: [[{"id": 1, "at": 1}, {"id": 2, "at": number}], [{"id": 2, "at": number + 1}]]  # noqa: E731
    with pytest.raises(Moving, match="and its `key`"):
        taken_after(Passes(("id",), "salt"), busy)
    assert taken_after(Passes(("id",), "salt"), lambda number: busy(number) if number < 3 else [busy(number)[0], [{"id": 3}]]) == 5


def test_a_table_that_never_stands_still_is_for_later() -> None:
    table = Table(40, "newest change first", True, 10_000, 0)
    with pytest.raises(RetryLater, match=f"{MOST_PASSES} passes all differ"):
        extracted(table)
