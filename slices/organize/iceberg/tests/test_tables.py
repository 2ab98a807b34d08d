"""What is particular to Iceberg: files by reference, one snapshot a batch, concurrent writers, foreign tables."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.glue import GlueCatalog

from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Mode, Warehouse
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from systems.iceberg import tables
from systems.iceberg.config import Config
from systems.iceberg.engine import CUT_SECONDS
from systems.iceberg.iceberg_schema import parsed_type
from tests.conformance.fixtures import FakeContext, open_cloud
from tests.conformance.organize import FLIGHTS, HERE, ID, VIEW, Lake, flights
from tests.memory.dynamodb import refused
from tests.memory.glue import MemoryGlue


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        yield Lake(cloud, SLICE, open_driver)
        glue = cloud.session.client("glue")
        for database in glue.get_databases()["DatabaseList"]:
            glue.delete_database(Name=database["Name"])


def table(lake: Lake, name: str = "flights") -> Any:
    catalog = GlueCatalog("t", client=lake.cloud.session.client("glue"), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})
    return catalog.load_table(("lake_ops", name))


def paths(lake: Lake) -> list[str]:
    return sorted(task.file.file_path for task in table(lake).scan().plan_files())


@pytest.mark.parametrize("mode", list(Mode))
def test_staged_files_become_table_data_without_being_copied(lake: Lake, mode: Mode) -> None:
    lake.collected(mode, key=("id",))
    lake.load(flights((1, "AA"), (2, "UA")), files=2)
    assert all("/staging/collect.fake/" in path for path in paths(lake)) and len(paths(lake)) == 2
    assert not lake.cloud.keys("warehouse/lake/ops/flights/data/")


def test_a_merge_rewrites_only_the_files_that_hold_its_keys(lake: Lake) -> None:
    lake.collected(Mode.MERGE, key=("id",))
    lake.load(flights((1, "AA")))
    lake.load(flights((2, "AA"), (3, "AA")))
    first, second = paths(lake)
    lake.load(flights((3, "UA"), (4, "UA")))
    now = paths(lake)
    assert len(now) == 3 and len({first, second} & set(now)) == 1


def test_each_batch_is_one_snapshot_that_names_it(lake: Lake) -> None:
    lake.collected(Mode.REPLACE)
    interval = lake.load(flights((1, "AA")))
    lake.load([{"id": 2, "more": "x"}], [ID[0], ("more", "string", ID[1][2])])
    snapshots = table(lake).metadata.snapshots
    assert len(snapshots) == 2 and snapshots[1].schema_id == table(lake).metadata.current_schema_id
    summary = snapshots[0].summary.additional_properties
    assert (summary["atoll.flow"], summary["atoll.token"]) == (f"{FLIGHTS}:load", "1")
    assert summary["atoll.batch-start"] == f"{interval.start:%Y-%m-%dT%H:%M:%SZ}"


def test_a_concurrent_commit_is_taken_into_account(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.collected(Mode.REPLACE)
    lake.load(flights((1, "AA")))
    lake.stage(flights((2, "AA")))
    state = lake.until_commit(f"{FLIGHTS}:load")
    once = iter([True])
    original = tables.Tables._data_files

    def interrupted(self: tables.Tables, transaction: Any, files: Any, **how: Any) -> Any:
        if next(once, False):
            with table(lake).update_schema() as update:
                update.add_column("foreign", parsed_type("string"))
            table(lake).delete("id = 1")
        return original(self, transaction, files, **how)

    monkeypatch.setattr(tables.Tables, "_data_files", interrupted)
    lake.steps().commit(state, FakeContext())
    assert [(r["id"], r["foreign"]) for r in table(lake).scan().to_arrow().to_pylist()] == [(2, None)]


def test_a_table_that_others_keep_writing_is_tried_again_later(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.collected(Mode.APPEND)
    lake.load(flights((1, "AA")))
    lake.stage(flights((2, "AA")))
    state = lake.until_commit(f"{FLIGHTS}:load")
    original = tables.Tables._data_files

    def interrupted(self: tables.Tables, transaction: Any, files: Any, **how: Any) -> Any:
        table(lake).append(table(lake).scan().to_arrow().slice(0, 1))
        return original(self, transaction, files, **how)

    monkeypatch.setattr(tables.Tables, "_data_files", interrupted)
    monkeypatch.setattr(tables, "COMMIT_TRIES", 2)
    with pytest.raises(RetryLater, match=r"lake\.ops\.flights is being written by others"):
        lake.steps().commit(state, FakeContext())
    assert 2 not in [r["id"] for r in table(lake).scan().to_arrow().to_pylist()]


def test_a_glue_table_of_another_kind_is_left_alone(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    glue = lake.cloud.session.client("glue")
    glue.create_database(DatabaseInput={"Name": "lake_ops"})
    glue.create_table(DatabaseName="lake_ops", TableInput={"Name": "flights", "Parameters": {"table_type": "HIVE"}})
    lake.stage(flights((1, "AA")))
    error = lake.run(f"{FLIGHTS}:load", record_errors=True).errors[FLIGHTS]
    assert isinstance(error, DefinitionError) and "HIVE" in str(error) and "lake_ops.flights" in str(error)


def test_a_database_that_somebody_else_made_is_not_written_to_until_its_owner_gives_it(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    glue = lake.cloud.session.client("glue")
    glue.create_database(DatabaseInput={"Name": "lake_ops", "Parameters": {"team": "finance"}})
    lake.stage(flights((1, "AA")))
    with pytest.raises(DefinitionError) as caught:
        lake.run(f"{FLIGHTS}:load")
    said = str(caught.value)
    assert "lake_ops is there and is not made by Atoll" in said and "aws glue update-database --name lake_ops" in said
    glue.update_database(Name="lake_ops", DatabaseInput={"Name": "lake_ops", "Parameters": {"atoll": "lake.ops"}})
    lake.cloud.clock.advance(hours=1)
    lake.run(f"{FLIGHTS}:load")
    assert len(glue.get_tables(DatabaseName="lake_ops")["TableList"]) == 1


def test_a_database_that_is_there_is_not_made_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Lake Formation decides, roles may be granted one that an administrator has made, and none of their own."""
    lake.collected(Mode.APPEND)
    glue = lake.cloud.session.client("glue")
    glue.create_database(DatabaseInput={"Name": "lake_ops", "Parameters": {"atoll": "lake.ops"}})

    def refuse(*_: object, **__: object) -> None:
        raise refused("AccessDeniedException", "CreateDatabase")

    monkeypatch.setattr(MemoryGlue, "create_database", refuse)
    lake.load(flights((1, "AA")))
    assert len(glue.get_tables(DatabaseName="lake_ops")["TableList"]) == 1


def test_two_schemas_whose_names_make_one_do_not_share_a_database(lake: Lake) -> None:
    """'lake_ops'.'x' and 'lake'.'ops_x'."""
    lake.collected(Mode.APPEND)
    lake.cloud.session.client("glue").create_database(DatabaseInput={"Name": "lake_ops", "Parameters": {"atoll": "la.ke_ops"}})
    lake.stage(flights((1, "AA")))
    with pytest.raises(DefinitionError, match=r"belongs to la\.ke_ops"):
        lake.run(f"{FLIGHTS}:load")


def test_an_iceberg_table_whose_data_lies_elsewhere_is_not_ours(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.load(flights((1, "AA")))
    mine = tables.Tables("lake", lake.cloud.services(SLICE.id), "program.sql:1:1")
    assert mine.find(FLIGHTS)
    mine._location += "-of-another"
    with pytest.raises(DefinitionError, match=r"lake_ops\.flights is there and is not this dataset's"):
        mine.find(FLIGHTS)


def test_every_step_interrupts_its_queries_before_the_function_is_stopped(lake: Lake) -> None:
    """Load, refresh, check and commit open their engines alike."""
    services = lake.cloud.services(SLICE.id)
    services.deadline_monotonic = time.monotonic() + CUT_SECONDS
    driver: Any = open_driver(Warehouse("lake", "iceberg", {}, HERE), services)
    with driver._open_engine("program.sql:1:1") as engine, pytest.raises(DefinitionError, match="time limit"):
        engine.fetch("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b")


def test_every_step_knows_when_its_function_is_stopped(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.stage(flights((1, "AA")))
    steps, state = lake.steps(), lake.until_commit(f"{FLIGHTS}:load")
    assert math.isinf(steps.services.deadline_monotonic)
    steps.commit(state, FakeContext(700))
    assert 600 < steps.services.deadline_monotonic - time.monotonic() < 700


def test_a_staged_file_that_is_gone_is_named(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.stage(flights((1, "AA")))
    state = lake.until_commit(f"{FLIGHTS}:load")
    (key,) = [k for k in lake.cloud.keys("staging/collect.fake") if k.endswith(".parquet")]
    lake.cloud.s3.delete_object(Bucket=lake.cloud.bucket, Key=key)
    with pytest.raises(DefinitionError, match=key):
        lake.steps().commit(state, FakeContext())


def test_an_expired_snapshot_is_named_with_the_remedy(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT * FROM {FLIGHTS}")
    lake.load(flights((1, "AA")))
    steps = lake.steps()
    (state,) = steps.plan(lake.cloud.event(VIEW), FakeContext())["work"]
    state["pointers"][FLIGHTS]["snapshot_id"] = "42"
    with pytest.raises(DefinitionError, match=r"snapshot 42 of lake\.ops\.flights is gone.*run a batch of lake"):
        steps.refresh(state, FakeContext())


def test_clauses_that_name_no_column_are_refused_before_anything_is_visible(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT id FROM {FLIGHTS}", partition_by=("day",))
    lake.load(flights((1, "AA")))
    error = lake.run(VIEW, record_errors=True).errors[VIEW]
    assert "PARTITION BY names day" in str(error) and "its columns are id" in str(error)


def test_a_merged_view_with_a_key_twice_is_refused(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT carrier FROM {FLIGHTS}", Mode.MERGE, key=("carrier",))
    lake.load(flights((1, "AA"), (2, "AA")))
    assert "several rows with the same carrier" in str(lake.run(VIEW, record_errors=True).errors[VIEW])


def test_a_column_named_like_sql_or_with_odd_letters_survives(lake: Lake) -> None:
    lake.collected(Mode.MERGE, key=("id",))
    columns = [ID[0], *((name, "string", ID[1][2]) for name in ('sel"ect', "it's", "a b", "größe", "order", "filename", "newer"))]
    lake.load([{"id": 1, 'sel"ect': "a", "it's": "b", "a b": "c", "größe": "d", "order": "e"}, {"id": 2}], columns)
    lake.load([{"id": 2, "it's": "new"}], columns)
    lake.view(f"SELECT * FROM {FLIGHTS}")
    for _ in range(2):
        lake.run(VIEW)
    found = sorted(table(lake, "carrier_day").scan().to_arrow().to_pylist(), key=lambda row: row["id"])
    assert [(row["it's"], row["größe"]) for row in found] == [("b", "d"), ("new", None)]


def test_an_unknown_option_names_those_there_are() -> None:
    with pytest.raises(DefinitionError, match=r"warehouse lake: an iceberg warehouse has no option bucket.*target_file_mb"):
        Config.read({"bucket": "mine"}, place="warehouse lake")


def test_the_control_steps_load_nothing_heavy() -> None:
    code = (
        "import sys, slices.organize.iceberg.handlers\n"
        "print([m for m in ('duckdb', 'pyarrow', 'pyiceberg', 'sqlglot', 'pydantic') if m in sys.modules])"
    )
    root = Path(__file__).parents[4]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
