"""What every engine must do that computes a lake's views elsewhere, as tests that its slice's own tests inherit.

A slice's tests give `engine`, as a warehouse names it, and `serve`, which puts its service into memory. The views are compiled as a
user's are, run as the state machines run them, and read as another engine reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.table import Table
from pyiceberg.types import LongType

import slices.organize.iceberg.handlers as iceberg
from language import compile_with_positions
from shared_metadata import naming
from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.organize.iceberg.slice import SLICE as ICEBERG
from slices.registry import installed
from systems.iceberg import beside
from tests.conformance import hostile
from tests.conformance.fixtures import BatchRun, Cloud, FakeContext, open_cloud, run_batch, shared_session
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake, Row, Typed, flights, query_of_ours, quoted

SOURCE = {
    "int": "integer",
    **{"long": "bigint", "string": "text", "double": "double precision", "timestamptz": "timestamp with time zone"},
    **{"decimal(12,2)": "numeric(12,2)", "date": "date", "boolean": "boolean", "timestamp": "timestamp without time zone"},
    **{"float": "real", "binary": "bytea"},
}
HEAD = """CREATE WAREHOUSE lake USING iceberg WITH (engine = '{engine}');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' {mode} AS SELECT * FROM ops.public.flights{where};
"""


class EngineViews(Lake):
    """The lake of a program with views by Athena; what is collected is loaded by the lake's own slice."""

    service: Any
    engine: str

    def program(
        self, views: str, mode: str = "REPLACE", columns: list[Typed] | None = None, *, typed: bool = True, where: str = ""
    ) -> None:
        known = tuple(SchemaColumn(name, kind, source=name, source_type=SOURCE.get(kind, "jsonb")) for name, kind, _ in columns or ID)
        schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.flights": Schema(known), "public.out": None})}
        compiled = compile_with_positions(
            {"program.sql": HEAD.format(engine=self.engine, mode=mode, where=where) + views}, installed(), schemas if typed else None
        )
        self.cloud.writer.put_program(compiled.program, compiled.lineage)
        self.cloud.writer.activate(compiled.program, former_version=self.cloud.reader.active_version())
        self.flows = dict(compiled.program.flows)

    def run(self, flow: str, interval: Any = None, **how: Any) -> BatchRun:
        own = self.flows[flow].slice_id == self.declaration.id
        declared, opens = (self.declaration, self._open) if own else (ICEBERG, iceberg.open_driver)
        steps = OrganizeSteps(declared, self.cloud.services(declared.id), opens)
        rerun = how.pop("rerun", False)
        return run_batch(steps, self.cloud.event(flow, rerun=rerun, interval=interval), **how)

    def rows(self, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[Row]:
        """As another engine reads them."""
        scan = self.table(dataset).scan(snapshot_id=int(pointer["snapshot_id"]) if pointer else None)
        rows: list[Row] = scan.to_arrow().to_pylist()
        return rows

    def table(self, dataset: str) -> Table:
        warehouse, schema, table = dataset.split(".")
        catalog = GlueCatalog(
            "reader", client=self.cloud.session.client("glue"), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}
        )
        return catalog.load_table((naming.database(warehouse, schema), table))

    def submitted(self) -> int:
        """How many statements or jobs the service was given."""
        raise NotImplementedError

    def staging_tables(self) -> list[str]:
        glue = self.cloud.session.client("glue")
        try:
            return [table["Name"] for table in glue.get_tables(DatabaseName="lake_atoll_staging")["TableList"]]
        except glue.exceptions.EntityNotFoundException:
            return []

    def age_staging_tables(self) -> None:
        tables = shared_session()._in_memory["glue"]._tables["lake_atoll_staging"]  # type: ignore[attr-defined]
        for table in tables.values():
            table["CreateTime"] -= timedelta(days=3)


def carriers(mode: str = "REPLACE", more: str = "") -> str:
    return f"""CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' {mode} {more}
    AS SELECT carrier, count(*) AS id, avg(delay) AS delay FROM {FLIGHTS} GROUP BY carrier;"""


TYPES: list[tuple[str, Any, Any, list[Any]]] = [
    ("i", "int", pa.int32(), [-(2**31), 2**31 - 1, None]),
    ("l", "long", pa.int64(), [-(2**63), 2**63 - 1, None]),
    ("d", "double", pa.float64(), [0.1, -1.7976931348623157e308, None]),
    ("n", "decimal(12,2)", pa.decimal128(12, 2), [Decimal("9999999999.99"), Decimal("-0.01"), None]),
    ("s", "string", pa.string(), ["", "größer 'x\" \u2003", None]),
    ("b", "boolean", pa.bool_(), [True, False, None]),
    ("y", "date", pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None]),
    ("t", "timestamp", pa.timestamp("us"), [datetime(1970, 1, 1, 0, 0, 0, 1), datetime(2262, 1, 1, 1, 2, 3, 456789), None]),
    ("z", "timestamptz", pa.timestamp("us", "UTC"), [datetime(2026, 1, 1, 23, 59, 59, 999999, UTC), None, None]),
    ("f", "float", pa.float32(), [0.5, 3.4028234663852886e38, None]),
    ("r", "binary", pa.binary(), [b"", bytes(range(256)), None]),
    ("xs", "list<long>", pa.list_(pa.int64()), [[], [2**63 - 1, None], None]),
    ("m", "map<string, date>", pa.map_(pa.string(), pa.date32()), [[], [("é", date(9999, 12, 31)), ("n", None)], None]),
    (
        "o",
        "struct<a: int, b: list<string>>",
        pa.struct({"a": pa.int32(), "b": pa.list_(pa.string())}),
        [{"a": None, "b": [""]}, None, None],
    ),
]


def forget_databases(cloud: Cloud) -> None:
    glue = cloud.session.client("glue")
    for database in glue.get_databases()["DatabaseList"]:
        glue.delete_database(Name=database["Name"])


class ServedEngine:
    """The lake of an engine's tests, by its `engine` and `serve`."""

    engine: str

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> EngineViews:
        """The lake, with the service in memory."""
        raise NotImplementedError

    @pytest.fixture
    def lake(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineViews]:
        for cloud in open_cloud(monkeypatch):
            made = self.serve(cloud, monkeypatch)
            made.engine = self.engine
            yield made
            forget_databases(cloud)


class EngineViewsConformance(ServedEngine):
    """Inherit it, and give `engine` and `serve`."""

    def test_a_view_has_the_rows_of_its_query_and_nothing_is_left_beside_it(self, lake: EngineViews) -> None:
        lake.program(carriers())
        lake.load(flights((1, "AA", 1.5), (2, "AA", 2.5), (3, "UA", None)))
        lake.run(VIEW)
        found = sorted((row["carrier"], row["id"], row["delay"]) for row in lake.rows(VIEW))
        assert found == [("AA", 2, 2.0), ("UA", 1, None)]
        assert lake.staging_tables() == []

    def test_a_merge_updates_by_its_key_and_refuses_one_that_comes_twice(self, lake: EngineViews) -> None:
        lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' MERGE ON (id) AS SELECT id, delay FROM {FLIGHTS};")
        for rows in (flights((1, "AA", 1.0), (2, "AA", 2.0)), flights((2, "AA", 5.0))):
            lake.load(rows)
            lake.run(VIEW)
        assert sorted((r["id"], r["delay"]) for r in lake.rows(VIEW)) == [(1, 1.0), (2, 5.0)]
        lake.load(flights((3, "AA", 1.0), (3, "AA", 2.0)))
        (error,) = lake.run(VIEW, record_errors=True).errors.values()
        assert "several rows with the same id" in str(error)

    def test_a_row_that_a_merge_has_deleted_beside_its_file_is_not_there(
        self, lake: EngineViews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the table that a query reads, and in the one that its result is merged into."""
        monkeypatch.setattr(beside, "LEAST_BYTES", 0)
        monkeypatch.setattr(beside, "WORN", 0.9)
        lake.program(carriers("MERGE", "ON (carrier)"), "MERGE ON (id)")
        for rows in (
            flights((1, "AA", 1.0), (2, "AA", 3.0), (3, "UA", 5.0), (4, "DL", 0.0)),
            flights((2, "AA", 9.0), (5, "UA", 1.0)),
        ):
            lake.load(rows)
            lake.run(VIEW)
        assert len(lake.table(FLIGHTS).inspect.delete_files()) == 1
        found = sorted((row["carrier"], row["id"], row["delay"]) for row in lake.rows(VIEW))
        assert found == [("AA", 2, 5.0), ("DL", 1, 0.0), ("UA", 2, 3.0)]

    def test_a_batch_of_append_that_is_run_again_replaces_its_rows_and_no_others(self, lake: EngineViews) -> None:
        lake.program(
            f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' APPEND PARTITION BY (since) AS SELECT id, batch_start() AS since, "
            f"batch_end() AS until FROM {FLIGHTS} WHERE _batch >= batch_start() AND _batch < batch_end();",
            "APPEND",
        )
        first = lake.load(flights((1, "AA"), (2, "AA")))
        lake.run(VIEW)
        second = lake.load(flights((3, "UA")))
        lake.run(VIEW)
        assert sorted((r["id"], r["since"], r["until"]) for r in lake.rows(VIEW)) == [
            *((number, first.start, first.end) for number in (1, 2)),
            (3, second.start, second.end),
        ]
        lake.load(flights((1, "AA"), (9, "AA")), again=first)
        lake.run(VIEW, first, rerun=True)
        assert sorted(r["id"] for r in lake.rows(VIEW)) == [1, 3, 9]

    def test_rows_that_fail_are_told_set_aside_or_stop_the_batch(self, lake: EngineViews) -> None:
        lake.program(
            carriers(
                more="EXPECT known: (carrier <> 'XX') OR QUARANTINE EXPECT late: (delay > 1) OR QUARANTINE "
                "EXPECT few: (id < 2) OR WARN"
            )
        )
        lake.load(flights((1, "AA", 5.0), (2, "AA", 5.0), (3, "XX", None), (4, "UA", 0.5)))
        lake.run(VIEW)
        assert [r["carrier"] for r in lake.rows(VIEW)] == ["AA"]
        kept = sorted((r["reason"], r["data"]) for r in lake.rows(f"{VIEW}__rejected"))
        assert kept == [
            ("known, late", '{"carrier":"XX","id":1,"delay":null}'),
            ("late", '{"carrier":"UA","id":1,"delay":0.5}'),
        ]
        told = lake.cloud.reader.failed_expectations(VIEW, datetime(2020, 1, 1, tzinfo=UTC))
        assert {event.detail["name"]: event.detail["failing"] for event in told} == {"known": 1, "late": 2, "few": 1}
        assert lake.staging_tables() == []
        lake.program(carriers(more="EXPECT few: (id < 2) OR FAIL"))
        lake.load(flights((1, "AA"), (2, "AA")))
        (error,) = lake.run(VIEW, record_errors=True).errors.values()
        assert "1 of 1 rows fail the expectation few" in str(error)

    @pytest.mark.parametrize(("most", "here"), [("0", True), ("0.0000001", False)])
    def test_with_auto_what_fits_is_computed_here_and_what_does_not_by_the_engine_with_the_same_rows(
        self, lake: EngineViews, most: str, here: bool
    ) -> None:
        lake.engine = f"auto', larger_from_gb = {most}, larger = '{self.engine}"
        lake.program(
            f"""CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' MERGE ON (carrier)
            EXPECT known: (starts_with(carrier, 'A')) OR QUARANTINE
            AS SELECT carrier, sum(id) / 2 AS half, id // 2 = 0 AS small, batch_end() AS until FROM {FLIGHTS} GROUP BY carrier, id;"""
        )
        interval = lake.load(flights((1, "AA"), (5, "AB"), (3, "XX")))
        before = lake.submitted()
        lake.run(VIEW)
        assert sorted((r["carrier"], r["half"], r["small"], r["until"]) for r in lake.rows(VIEW)) == [
            ("AA", 0.5, True, interval.end),
            ("AB", 2.5, False, interval.end),
        ]
        assert [r["reason"] for r in lake.rows(f"{VIEW}__rejected")] == ["known"]
        (told,) = lake.cloud.reader.statistics(VIEW)
        assert (lake.submitted() == before) is here and (told["engine"] == "DuckDB") is here
        assert told["why"].startswith("its inputs are 0.00") and lake.staging_tables() == []

    def test_columns_called_as_those_of_our_sql_keep_their_values(self, lake: EngineViews) -> None:
        """Of rows that are merged, and of those that a rule sets aside."""
        names = hostile.ours()
        listed = ", ".join(f"carrier || {hostile.literal(name)} AS {quoted(name)}" for name in names)
        lake.program(f"""CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' MERGE ON ({quoted(names[0])})
            EXPECT known: (n <> 'XXn') OR QUARANTINE AS SELECT {listed} FROM {FLIGHTS};""")
        lake.load(flights((1, "AA"), (2, "UA"), (3, "XX")))
        lake.run(VIEW)
        found = {row["n"]: {name: row[name] for name in names} for row in lake.rows(VIEW)}
        assert found == {f"{carrier}n": {name: carrier + name for name in names} for carrier in ("AA", "UA")}
        (row,) = lake.rows(f"{VIEW}__rejected")
        assert (row["reason"], json.loads(row["data"])) == ("known", {name: f"XX{name}" for name in names})

    @pytest.mark.deep
    def test_a_query_s_own_tables_called_as_those_of_our_sql_are_its_own(self, lake: EngineViews) -> None:
        lake.program(f"""CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' MERGE ON (id)
            EXPECT known: (carrier <> 'XX') OR QUARANTINE AS {query_of_ours("carrier")};""")
        lake.load(flights((1, "AA"), (2, "UA"), (3, "XX")))
        lake.run(VIEW)
        assert {row["id"]: row["carrier"] for row in lake.rows(VIEW)} == {1: "AA", 2: "UA"}

    def test_an_empty_result_is_one(self, lake: EngineViews) -> None:
        some = "EXPECT some: (id > 0) OR FAIL"
        lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' APPEND {some} AS SELECT id FROM {FLIGHTS} WHERE false;")
        lake.load(flights((1, "AA")))
        lake.run(VIEW)
        assert lake.rows(VIEW) == []

    def test_what_is_published_is_its_query_s_result(self, lake: EngineViews) -> None:
        lake.program(f"INSERT INTO ops.public.out EVERY '1 hour' MERGE ON (id) AS SELECT id + 1 AS id, carrier FROM {FLIGHTS};")
        lake.load(flights((1, "AA"), (2, "UA")))
        lake.run("ops.public.out:result")
        assert sorted(lake.cloud.rows("ops.public.out:result").to_pylist(), key=str) == [
            {"id": 2, "carrier": "AA"},
            {"id": 3, "carrier": "UA"},
        ]
        assert lake.staging_tables() == []

    def test_every_type_is_written_as_it_is_read(self, lake: EngineViews) -> None:
        columns = [(name, kind, arrow) for name, kind, arrow, _ in TYPES]
        lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT * FROM {FLIGHTS};", columns=columns)
        rows = [dict(zip((name for name, *_ in TYPES), values, strict=True)) for values in zip(*(v for *_, v in TYPES), strict=True)]
        lake.load(rows, columns)
        lake.run(VIEW)
        found = [{name: value for name, value in row.items() if name != "_batch"} for row in lake.rows(VIEW)]
        assert sorted(found, key=str) == sorted(rows, key=str)

    def test_a_file_has_the_field_ids_of_the_table_that_takes_it_also_when_columns_come(self, lake: EngineViews) -> None:
        """By these, and not by names, other engines find columns."""
        view = f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' APPEND PARTITION BY (carrier) AS SELECT {{}} FROM {FLIGHTS};"
        for chosen in ("id, carrier", "delay, 2 * id AS twice, carrier, id"):
            lake.program(view.format(chosen))
            lake.load(flights((1, "AA", 1.5), (2, "UA", 2.5), (3, None, None)))
            lake.run(VIEW)
        table = lake.table(VIEW)
        wanted = {field.name: field.field_id for field in table.schema().fields}
        files = [task.file for task in table.scan().plan_files()]
        assert len(files) == 6 and {file.partition[0] for file in files} == {"AA", "UA", None}
        for file in files:
            with table.io.new_input(file.file_path).open() as stream:
                footer = pq.read_schema(stream)
            assert {f.name: int(f.metadata[b"PARQUET:field_id"]) for f in footer}.items() <= wanted.items()
        read = sorted((r["id"], r["delay"], r["twice"]) for r in lake.rows(VIEW) if r["twice"] is not None and r["delay"] is not None)
        assert read == [(1, 1.5, 2), (2, 2.5, 4)]

    def test_rows_that_were_written_for_another_state_of_the_table_are_not_taken(self, lake: EngineViews) -> None:
        """As when a batch is run again while another one brings columns: both count field ids on from the same state."""
        view = f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' APPEND AS SELECT {{}} FROM {FLIGHTS};"
        lake.program(view.format("id"))
        lake.load(flights((1, "AA", 1.5)))
        lake.run(VIEW)
        lake.program(view.format("id, 2 * id AS twice"))
        lake.load(flights((2, "AA", 1.5)))
        steps, context = lake.steps(), FakeContext()
        (state,) = steps.plan(lake.cloud.event(VIEW), context)["work"]
        refreshed = steps.refresh(state, context)
        with lake.table(VIEW).update_schema() as update:
            update.add_column("thrice", LongType())
        with pytest.raises(RetryLater, match="twice has another field id"):
            steps.commit(refreshed, context)
        assert [r["id"] for r in lake.rows(VIEW)] == [1]

    def test_a_deleted_row_is_not_seen_unless_it_is_asked_for(self, lake: EngineViews) -> None:
        views = f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT id FROM {FLIGHTS};"
        lake.program(
            views + views.replace("carrier_day", "gone").replace("SELECT id", "SELECT id, _deleted AS gone"),
            "MERGE ON (id) CURSOR id",
            where=" WHERE id > 0",
        )
        lake.load([{"id": 1, "_deleted": False}, {"id": 2, "_deleted": True}], [ID[0], ("_deleted", "boolean", pa.bool_())])
        lake.run(VIEW)
        lake.run("lake.ops.gone")
        assert [r["id"] for r in lake.rows(VIEW)] == [1]
        assert sorted((r["id"], r["gone"]) for r in lake.rows("lake.ops.gone")) == [(1, False), (2, True)]

    def test_a_program_without_its_sources_schemas_cannot_run_here(self, lake: EngineViews) -> None:
        lake.program(carriers(), typed=False)
        lake.load(flights((1, "AA")))
        (error,) = lake.run(VIEW, record_errors=True).errors.values()
        assert isinstance(error, DefinitionError) and "atoll discover" in str(error)

    def test_calls_of_one_step_beside_one_another_are_one_statement(self, lake: EngineViews) -> None:
        """As when the answer to the first was lost, and it goes on."""
        lake.program(carriers())
        lake.load(flights((1, "AA", 1.0), (2, "UA", 2.0)))
        (state,) = lake.steps().plan(lake.cloud.event(VIEW), FakeContext())["work"]
        with ThreadPoolExecutor(3) as pool:
            first, *_ = pool.map(lambda _: lake.steps().refresh(state, FakeContext()), range(3))
        lake.steps().commit(first, FakeContext())
        assert sorted(r["carrier"] for r in lake.rows(VIEW)) == ["AA", "UA"]
        assert lake.submitted() == 1
