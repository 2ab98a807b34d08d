"""A stream that is read whole by one way of its API, and by another one for what has changed (StateDelegatingStream)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.contract.collect import OpenSource
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Mode
from shared_metadata.program.intervals import Interval
from systems.rest import document
from systems.rest.client import RestSource
from systems.rest.coverage import coverage
from systems.rest.manifest import streams_of
from tests.conformance.collect import COLUMNS, CollectConformance, Collecting, label_rows
from tests.conformance.fixtures import Cloud, cloud, run_batch
from tests.systems.rest.things import SYSTEM, Things, ThingsUnderTest, manifest, stream

__all__ = ["cloud"]


class Asked(Things):
    """asked: the queries, of which those of the stream of changes alone have `from`."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, str]] = []
        super().__init__()

    def answer(self, path: str, query: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        if path != "/check":
            self.asked.append(query)
        return super().answer(path, query, authorization)


class DelegatingUnderTest(ThingsUnderTest):
    """Each table's stream is one of both kinds.  retention: of what the API tells of changes."""

    retention, clock = "", staticmethod(lambda: datetime.now(UTC))

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, secret: RestSource(connection, secret, document.document_of(SYSTEM), aws, clock=self.clock)

    def create_table(self, columns: Mapping[str, str]) -> str:
        name = super().create_table(columns)
        changes = self._manifest["streams"].pop()
        whole = copy.deepcopy(changes)
        del whole["incremental_sync"]
        made = {"type": "StateDelegatingStream", "name": name, "full_refresh_stream": whole, "incremental_stream": changes}
        self._manifest["streams"].append(made | ({"api_retention_period": self.retention} if self.retention else {}))
        self._write()
        return name

    def _properties(self, table: str) -> dict[str, Any]:
        found = next(one for one in self._manifest["streams"] if one["name"] == table)
        return found["full_refresh_stream"]["schema_loader"]["schema"]["properties"]  # type: ignore[no-any-return]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DelegatingUnderTest]:
    monkeypatch.chdir(tmp_path)
    things = Asked()
    yield DelegatingUnderTest(things, tmp_path)
    things.close()


@pytest.mark.deep
class TestConformance(CollectConformance):
    """All of it."""


def ways(source: DelegatingUnderTest) -> set[str]:
    """How the last batch asked: 'whole', 'changes'."""
    found = {"changes" if "from" in query else "whole" for query in source.things.asked}  # type: ignore[attr-defined]
    source.things.asked.clear()  # type: ignore[attr-defined]
    return found


def test_the_first_batch_and_a_replace_read_all_and_each_later_one_the_changes(cloud: Cloud, source: DelegatingUnderTest) -> None:
    collecting = Collecting(cloud, source)
    table = source.create_table(COLUMNS)
    collecting.collect(table)
    source.put(table, label_rows(["a", "b"]), collecting.at)
    collecting.run()
    assert (ways(source), collecting.labels()) == ({"whole"}, ["a", "b"])
    source.put(table, label_rows(["c"]), collecting.at)
    collecting.run()
    assert (ways(source), collecting.labels()) == ({"changes"}, ["c"])
    collecting.collect(table, how={"mode": Mode.REPLACE})
    collecting.run()
    assert (ways(source), collecting.labels()) == ({"whole"}, ["a", "b", "c"])


def test_what_the_api_tells_of_changes_no_more_is_read_by_the_whole(cloud: Cloud, source: DelegatingUnderTest) -> None:
    source.retention, source.clock = "PT150M", cloud.clock  # type: ignore[assignment]
    collecting = Collecting(cloud, source)
    table = source.create_table(COLUMNS)
    collecting.collect(table)
    source.put(table, label_rows(["a"]), collecting.at)
    start = collecting.at - timedelta(minutes=20)
    collecting.run()
    collecting.run()
    ways(source)
    run_batch(collecting.steps(), cloud.event("lake.raw.thing", rerun=True, interval=Interval(start, start + timedelta(hours=1))))
    assert (ways(source), collecting.staged_by(Interval(start, start + timedelta(hours=1)))) == ({"changes"}, ["a"])
    cloud.clock.advance(hours=2)
    run_batch(collecting.steps(), cloud.event("lake.raw.thing", rerun=True, interval=Interval(start, start + timedelta(hours=1))))
    assert (ways(source), collecting.staged_by(Interval(start, start + timedelta(hours=1)))) == ({"whole"}, ["a"])


def test_it_is_merged_by_itself_by_the_cursor_of_its_changes(source: DelegatingUnderTest) -> None:
    table = source.create_table(COLUMNS)
    (told,) = [one for one in coverage(source._file.parent).tables if one.name == table]
    assert (told.key, told.cursor, told.mode, told.reads) == (("id",), "updated", "MERGE", "what its cursor says is new")


def test_what_it_lacks_is_told(source: DelegatingUnderTest) -> None:
    made = {"type": "StateDelegatingStream", "name": "x", "full_refresh_stream": stream("x", {}), "incremental_stream": None}
    with pytest.raises(DefinitionError, match="the stream x has not both of full_refresh_stream and incremental_stream"):
        streams_of({**manifest(), "streams": [made]})
    source.retention = "{{ config['days'] }}"
    table = source.create_table(COLUMNS)
    assert coverage(source._file.parent).left_out == {table: "api_retention_period {{ config['days'] }}"}
