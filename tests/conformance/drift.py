"""The table of the design's section on drift, row by row: a real source, the real steps, an Iceberg warehouse.

A slice gives a fixture `source`, as for the collect suite. A conductor of one process runs everything that is due, by the schedule's
own rule, through the steps of the slices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from pyiceberg.catalog.glue import GlueCatalog

from shared_metadata import naming
from shared_metadata.contract.collect import CollectSteps
from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.drift.changes import Change
from shared_metadata.program import Connection, Flow, Mask, Program
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.records import EventKind
from shared_metadata.state.schedule import due_batches
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE as ICEBERG
from tests.conformance.collect import HERE, SourceUnderTest
from tests.conformance.fixtures import NOW, Cloud, open_cloud, run_batch
from tests.conformance.masking import everything_stored
from tests.drift.programs import Writing

TABLE, USER, READER, OTHER = "lake.raw.thing", "lake.a.user", "lake.a.reader", "lake.a.other"
COLUMNS = {"label": "string", "number": "double", "count": "int", "spare": "string"}
ROWS = [{"label": "a", "number": 1.0, "count": 1, "spare": "x"}, {"label": "b", "number": 2.0, "count": 2, "spare": "y"}]


class Drifting:
    """A table of the source, its program with views on it, and the batches that are due.

    watched: how often the source was asked to look after what it keeps at its system.
    """

    def __init__(self, cloud: Cloud, source: SourceUnderTest) -> None:
        self.cloud, self.source, self.watched = cloud, source, 0
        cloud.put_secret("out", source.secret)
        self.table = source.create_table(COLUMNS)
        source.put(self.table, ROWS, NOW - timedelta(minutes=40))
        self.activate(*self.program())
        self.run()

    def program(
        self, used: str = "number", columns: Mapping[str, str] | None = None, masks: Mapping[str, Mask] | None = None
    ) -> tuple[Program, Lineage]:
        """Compiled against the source as it is: USER says `used`, READER reads USER, OTHER says `count`.

        What USER says has another name where it is another column, since it may have another type.
        """
        known = self._open().describe([self.table])[self.table]
        assert known is not None
        writing, how = Writing(), self.source.incremental
        name = self.source.collected_name
        writing.collect(
            f"out.{self.table}", known, name=TABLE, key=how["key"][0], cursor=how["cursor"], mode=how["mode"],
            system=self.source.declaration.system, columns=columns, masks=masks,
        )  # fmt: skip
        says = "said" if used == "number" else f"said_{used}"
        for view, column, alias in ((USER, used, says), (OTHER, "count", "said")):
            query = f"SELECT {name('label')} AS label, {name(column)} AS {alias} FROM {TABLE}"
            writing.view(view, [f"{TABLE}.{name('label')}", f"{TABLE}.{name(column)}"], query=query)
        writing.view(READER, [f"{USER}.{says}"], query=f"SELECT count({says}) AS how_many FROM {USER}")
        return writing.finish(**self.source.options)

    def activate(self, program: Program, lineage: Lineage) -> None:
        self.cloud.writer.put_program(program, lineage)
        self.cloud.writer.activate(program, former_version=self.cloud.reader.active_version())

    def run(self, hours: int = 1) -> None:
        """So many hours pass; everything that becomes due runs, and the conductor judges drift as it does each minute."""
        for _ in range(hours):
            self.cloud.clock.advance(hours=1)
            while due := self._due():
                for batch in due:
                    run = run_batch(self._steps(batch.slice_id), batch.execution_input(), record_errors=True)
                    assert not run.errors and not run.planned["failed"], (run.errors, run.planned)

    def _due(self) -> list[Any]:
        program = self.cloud.reader.active_program()
        states = self.cloud.reader.flow_states(list(program.flows))
        if any(state.judged_under - {program.version} for state in states.values()):
            self.cloud.writer.drifts.reevaluate(self.cloud.reader.lineage(program.version), program, program.version)
            states = self.cloud.reader.flow_states(list(program.flows))
        return due_batches(program, states, self.cloud.clock.now)

    def _steps(self, slice_id: str) -> Any:
        services = self.cloud.services(slice_id)
        if slice_id == ICEBERG.id:
            return OrganizeSteps(ICEBERG, services, open_driver)
        opened = self.source.open_source(self.cloud.session)
        return CollectSteps(self.source.declaration, services, lambda *given: Watched(self, opened(*given)))  # type: ignore[arg-type, return-value]

    def _open(self) -> Any:
        options = {"secret": "out", **self.source.options}
        connection = Connection("out", self.source.declaration.system, options, HERE)
        return self.source.open_source(self.cloud.session)(connection, self.source.secret)

    def put(self, *rows: Mapping[str, Any]) -> None:
        """As of the middle of the next hour's batch."""
        self.source.put(self.table, rows, self.cloud.clock.now + timedelta(minutes=20))

    def rows(self, dataset: str = TABLE) -> list[dict[str, Any]]:
        """What the warehouse holds, under neutral names."""
        warehouse, schema, table = dataset.split(".")
        catalog = GlueCatalog(
            warehouse, client=self.cloud.session.client("glue"), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}
        )
        found = catalog.load_table((naming.database(warehouse, schema), table)).scan().to_arrow().to_pylist()
        names = {self.source.collected_name(name): name for name in (*COLUMNS, "fresh")}
        plain = [{names.get(name, name): value for name, value in row.items()} for row in found]
        return sorted(plain, key=lambda row: str(row.get("label")))

    def said(self, dataset: str = USER, column: str = "said") -> dict[str, Any]:
        return {row["label"]: row[column] for row in self.rows(dataset)}

    def column(self, name: str) -> dict[str, Any]:
        return {row["label"]: row.get(name, "no such column") for row in self.rows()}

    def type_of(self, name: str) -> str:
        latest = self.cloud.reader.latest_schema(TABLE)
        assert latest is not None
        return next(c.type for c in latest.schema.columns if c.name == self.source.collected_name(name))

    def behind(self) -> dict[str, int]:
        """Dataset ▸ how many hours it is behind what is collected."""
        program = self.cloud.reader.active_program()
        states = self.cloud.reader.flow_states(list(program.flows))
        marks = {name: table.watermark for state in states.values() for name, table in state.tables.items()}
        newest = max(marks.values())
        return {name: int((newest - moment).total_seconds() // 3600) for name, moment in marks.items() if moment != newest}

    def drifts(self) -> list[tuple[Change, str, tuple[str, ...], bool]]:
        """Oldest first: kind, column under its neutral name, what it quiesces, whether it is open."""
        names = {self.source.collected_name(name).lower(): name for name in (*COLUMNS, "fresh")}
        found = reversed(self.cloud.writer.drifts.drifts())
        return [(d.change.kind, names.get(d.change.column.lower(), d.change.column), d.change.quiesces, d.open) for d in found]

    def quiesced_events(self) -> int:
        found = self.cloud.reader.events(NOW - timedelta(days=1), self.cloud.clock.now)
        return sum(event.kind == EventKind.FLOW_QUIESCED for event in found)


class Watched:
    """A source that is asked to look after something."""

    def __init__(self, drifting: Drifting, source: Any) -> None:
        self._drifting, self._source = drifting, source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def watch(self, flow: Flow) -> None:
        self._drifting.watched += 1
        if hasattr(self._source, "watch"):
            self._source.watch(flow)


USERS = (READER, USER)


class DriftConformance:
    """Inherit it and give a `source` fixture."""

    @pytest.fixture
    def cloud(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        yield from open_cloud(monkeypatch)

    @pytest.fixture
    def drifting(self, cloud: Cloud, source: SourceUnderTest) -> Iterator[Drifting]:
        yield Drifting(cloud, source)
        glue = cloud.session.client("glue")
        for database in glue.get_databases()["DatabaseList"]:
            glue.delete_database(Name=database["Name"])

    def test_a_source_that_does_not_change_is_no_drift(self, drifting: Drifting) -> None:
        drifting.put({"label": "c", "number": 3.0, "count": 3})
        drifting.run()
        assert (drifting.drifts(), drifting.behind()) == ([], {})
        assert drifting.said() == {"a": 1.0, "b": 2.0, "c": 3.0}

    def test_an_added_column_appears_in_the_warehouse_and_stops_nobody(self, drifting: Drifting) -> None:
        drifting.source.add_column(drifting.table, "fresh", "string")
        drifting.put({"label": "c", "number": 3.0, "count": 3, "fresh": "new"})
        drifting.run(2)
        assert drifting.drifts() == [(Change.COLUMN_ADDED, "fresh", (), True)]
        assert drifting.column("fresh") == {"a": None, "b": None, "c": "new"}
        assert (drifting.behind(), drifting.quiesced_events()) == ({}, 0)

    def test_a_dropped_column_that_nobody_uses_stays_with_nulls(self, drifting: Drifting) -> None:
        drifting.source.drop_column(drifting.table, "spare")
        drifting.put({"label": "b", "number": 2.5, "count": 2}, {"label": "c", "number": 3.0, "count": 3})
        drifting.run(2)
        assert drifting.drifts() == [(Change.COLUMN_DROPPED, "spare", (), True)]
        assert drifting.column("spare") == {"a": "x", "b": None, "c": None}
        assert (drifting.behind(), drifting.quiesced_events()) == ({}, 0)

    def test_a_dropped_column_quiesces_exactly_its_users_until_it_returns(self, drifting: Drifting) -> None:
        drifting.source.drop_column(drifting.table, "number")
        drifting.put({"label": "c", "count": 3})
        drifting.run(2)
        assert drifting.drifts() == [(Change.COLUMN_DROPPED, "number", USERS, True)]
        assert drifting.behind() == {USER: 2, READER: 2}
        assert drifting.said() == {"a": 1.0, "b": 2.0}  # the last good batch
        assert drifting.said(OTHER) == {"a": 1, "b": 2, "c": 3}
        drifting.source.add_column(drifting.table, "number", "double")
        drifting.put({"label": "a", "number": 1.5, "count": 1}, {"label": "c", "number": 3.5, "count": 3})
        drifting.run(2)
        assert drifting.drifts() == [(Change.COLUMN_DROPPED, "number", USERS, False)]
        assert drifting.behind() == {}
        assert drifting.said() == {"a": 1.5, "b": None, "c": 3.5}
        assert drifting.rows(READER) == [{"how_many": 2}]
        assert drifting.quiesced_events() == 1

    @pytest.mark.deep
    def test_a_column_that_returns_with_its_values_is_collected_again_whole(self, drifting: Drifting) -> None:
        drifting.source.rename_column(drifting.table, "number", "fresh")
        drifting.put({"label": "c", "fresh": 3.0, "count": 3})
        drifting.run()
        assert drifting.said() == {"a": 1.0, "b": 2.0}
        drifting.source.rename_column(drifting.table, "fresh", "number")
        drifting.run()
        assert drifting.said() == {"a": 1.0, "b": 2.0, "c": 3.0}  # though c did not change since
        assert drifting.behind() == {}

    def test_a_renamed_column_is_said_to_be_one(self, drifting: Drifting) -> None:
        drifting.source.rename_column(drifting.table, "number", "fresh")
        drifting.run()
        drifting.put({"label": "c", "fresh": 3.0, "count": 3})
        drifting.run()  # a batch with rows, which lack the column
        gone, new = drifting.cloud.writer.drifts.open_drifts()
        assert (gone.change.kind, gone.change.quiesces, new.change.kind) == (Change.COLUMN_DROPPED, USERS, Change.COLUMN_ADDED)
        assert gone.change.probable_rename.lower() == drifting.source.collected_name("fresh")
        assert "the same type" in gone.change.evidence and "values like those it held" in gone.change.evidence

    def test_an_empty_column_in_place_of_a_dropped_one_is_no_renamed_one(self, drifting: Drifting) -> None:
        drifting.source.drop_column(drifting.table, "number")
        drifting.source.add_column(drifting.table, "numbers", "double")
        drifting.run()
        drifting.put({"label": "c", "numbers": None, "count": 3})
        drifting.run()  # a batch with rows, which lack the column
        gone = next(d.change for d in drifting.cloud.writer.drifts.open_drifts() if d.change.kind == Change.COLUMN_DROPPED)
        assert (gone.probable_rename, gone.quiesces) == ("", USERS)

    def test_a_column_of_another_type_quiesces_its_users_and_is_not_collected(self, drifting: Drifting) -> None:
        drifting.source.retype_column(drifting.table, "number", "string")
        drifting.put({"label": "c", "number": "three", "count": 3})
        drifting.run(2)
        assert drifting.drifts() == [(Change.TYPE_CHANGED, "number", USERS, True)]
        assert drifting.column("number")["c"] is None and drifting.type_of("number") == "double"
        assert drifting.behind() == {USER: 2, READER: 2}

    def test_a_wider_column_is_widened_in_the_warehouse(self, drifting: Drifting) -> None:
        drifting.source.retype_column(drifting.table, "count", "long")
        drifting.put({"label": "c", "number": 3.0, "count": 2**40})
        drifting.run(2)
        assert drifting.drifts() == [(Change.TYPE_WIDENED, "count", (), True)]
        assert drifting.type_of("count") == "long"
        assert drifting.said(OTHER) == {"a": 1, "b": 2, "c": 2**40}
        assert drifting.behind() == {}

    @pytest.mark.deep
    def test_a_narrower_column_quiesces_its_users_and_is_still_collected(self, drifting: Drifting) -> None:
        drifting.source.retype_column(drifting.table, "count", "long")
        drifting.activate(*drifting.program())
        drifting.run()
        drifting.source.retype_column(drifting.table, "count", "int")
        drifting.put({"label": "c", "number": 3.0, "count": 3})
        drifting.run(2)
        assert drifting.drifts()[-1] == (Change.TYPE_NARROWED, "count", (OTHER,), True)
        assert drifting.column("count") == {"a": 1, "b": 2, "c": 3}
        assert drifting.behind() == {OTHER: 2}

    @pytest.mark.deep
    def test_a_column_that_comes_to_a_masked_table_waits_for_the_program(self, drifting: Drifting) -> None:
        name = drifting.source.collected_name
        drifting.cloud.put_secret("mask", {"key": "k" * 32})
        drifting.activate(*drifting.program(masks={name("spare"): Mask.DROP, name("label"): Mask.HASH}))
        drifting.run()
        drifting.source.rename_column(drifting.table, "spare", "fresh")
        drifting.put({"label": "c", "number": 3.0, "count": 3, "fresh": "what nobody may see"})
        drifting.run(2)
        assert {kind for kind, *_ in drifting.drifts()} == {Change.COLUMN_ADDED, Change.COLUMN_DROPPED}
        # of a source that writes all anew all come again, by keys that are hashed now
        assert not drifting.behind() and len(drifting.rows()) in (3, 5)
        assert set(drifting.column("fresh").values()) == {"no such column"}
        assert "what nobody may see" not in everything_stored(drifting.cloud)

    @pytest.mark.deep
    def test_a_projection_goes_on_without_the_column(self, drifting: Drifting) -> None:
        name = drifting.source.collected_name
        key, cursor = drifting.source.incremental["key"][0], drifting.source.incremental["cursor"]
        wanted = {n: n for n in dict.fromkeys((key, name("label"), name("number"), name("count"), cursor))}
        drifting.activate(*drifting.program(columns=wanted))
        drifting.run()
        drifting.source.drop_column(drifting.table, "number")
        drifting.put({"label": "c", "count": 3})
        drifting.run()
        assert drifting.behind() == {USER: 1, READER: 1}
        assert drifting.said(OTHER) == {"a": 1, "b": 2, "c": 3}

    @pytest.mark.deep
    def test_an_update_set_without_the_column_lets_its_flows_go_on_from_where_they_stopped(self, drifting: Drifting) -> None:
        drifting.source.drop_column(drifting.table, "number")
        drifting.put({"label": "c", "count": 3, "spare": "z"})
        drifting.run(3)
        assert drifting.behind() == {USER: 3, READER: 3}
        drifting.activate(*drifting.program(used="spare"))
        drifting.run()
        assert drifting.behind() == {}
        assert drifting.said(column="said_spare") == {"a": "x", "b": "y", "c": "z"}
        assert [d.resolution for d in drifting.cloud.writer.drifts.drifts()] == ["the program does not expect it any more"]

    def test_a_table_that_is_gone_stops_its_flow_and_fails_no_execution(self, drifting: Drifting) -> None:
        drifting.source.drop_table(drifting.table)
        before = drifting.watched
        drifting.run(7)  # more often than a batch may fail
        everything = tuple(sorted((TABLE, f"{TABLE}:staged", OTHER, READER, USER)))
        assert drifting.drifts() == [(Change.TABLE_DROPPED, "", everything, True)]
        state = drifting.cloud.reader.flow_states([TABLE])[TABLE].tables[f"{TABLE}:staged"]
        assert drifting.watched - before == state.attempts > 5, "what is kept at its system is looked after all the same"
        assert state.error.startswith("StoppedByDrift: program.sql:1:1: lake.raw.thing:staged: drift 1: the table")
        assert drifting.quiesced_events() == 1
