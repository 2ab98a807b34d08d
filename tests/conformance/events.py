"""The suite of a collect slice over events: JSON objects whose types the program says."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from functools import partial
from typing import Any

import pyarrow.parquet as pq
import pytest

from shared_metadata.contract.collect import CollectSteps
from shared_metadata.program.intervals import Interval
from tests.conformance.collect import COLUMNS, CollectConformance, Collecting, SourceUnderTest, label_rows
from tests.conformance.discovery import Looking
from tests.conformance.fixtures import BatchRun, Cloud, run_batch


class EventFlow:
    """A flow that collects events, and what its batches bring.  flow, dataset: their names."""

    def __init__(self, cloud: Cloud, flow: str, dataset: str) -> None:
        self.cloud, self._flow, self._dataset = cloud, flow, dataset

    def steps(self) -> CollectSteps:
        raise NotImplementedError

    def run(self, **how: Any) -> BatchRun:
        return run_batch(self.steps(), self.cloud.event(self._flow), **how)

    def refusal(self) -> str:
        (failed,) = self.run(record_errors=True).planned["failed"]
        return str(failed["error"])

    def rows(self) -> list[dict[str, Any]]:
        found = self.cloud.rows(self._dataset)
        return found.to_pylist() if found is not None else []

    def rejected(self) -> list[dict[str, Any]]:
        files = self.cloud.manifest(self._dataset)["rejected"]
        tables = [pq.read_table(io.BytesIO(self.cloud.body(file["key"]))) for file in files]
        return [{**row, "data": json.loads(row["data"])} for table in tables for row in table.to_pylist()]

    def ids(self) -> list[Any]:
        """What the next batch brings."""
        return sorted(row["id"] for row in self.rows()) if self.run().calls else []


class EventsConformance(CollectConformance):
    """With the types that a program's casts say, of the columns that are there."""

    @pytest.fixture
    def collecting(self, cloud: Cloud, source: SourceUnderTest) -> Collecting:
        found = Collecting(cloud, source)
        found.collect = partial(found.collect, casts={source.collected_name(name): kind for name, kind in COLUMNS.items()})  # type: ignore[method-assign]
        return found

    def test_describe_gives_the_schema_that_is_collected(self, collecting: Collecting, looking: Looking) -> None:
        """As far as names go: the types are the program's. A column stays while an event of the sample has it."""
        (table,) = looking.tables
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        latest = collecting.cloud.reader.latest_schema(collecting.dataset)
        names = [column.name for column in looking.schema(table).columns]
        own = ("_batch", "_deleted")
        assert latest and names == [column.name for column in latest.schema.columns if column.name not in own]

    def test_dropped_column_is_no_longer_in_the_schema(self, collecting: Collecting) -> None:
        """Not here: an event may lack any of a table's columns, and has no value there."""
        table = self._round_trip(collecting, label_rows(["a"]))
        collecting.source.drop_column(table, "number")
        collecting.source.put(table, [{"label": "b"}], collecting.at)
        collecting.run()
        latest = collecting.cloud.reader.latest_schema(collecting.dataset)
        assert latest is not None and latest.number == 1
        assert [(row["label"], row["number"]) for row in collecting.rows()] == [("b", None)]

    def test_rerun_of_a_batch_whose_rows_are_gone_stages_none(self, collecting: Collecting) -> None:
        """Not here: an event that another one corrects stays where it is, until it is old or retention deletes it."""
        table, start = collecting.source.create_table(COLUMNS), collecting.at - timedelta(minutes=20)
        collecting.source.put(table, label_rows(["moved"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        collecting.source.put(table, label_rows(["moved"]), collecting.at)
        collecting.run()
        interval = Interval(start, start + timedelta(hours=1))
        collecting.run_again(interval)
        again = collecting.cloud.reader.version_of(collecting.dataset, interval.end)
        assert again is not None and (again.rows, again.token) == (1, 2)
