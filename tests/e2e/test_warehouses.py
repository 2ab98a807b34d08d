"""The reference program in warehouses that keep rows themselves, beside the lake's: the same rows of every dataset, batch by batch.

It is written over by `atoll translate`, as its user would, and what that leaves by hand; both read the same sources in one account.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from console.main import main
from console.project import compile_project
from examples.airline import crm
from examples.airline import demo as airline_demo
from examples.airline.demo import PROGRAM, Demo
from infra.embedded import EmbeddedAws
from shared_metadata.program.intervals import floor, to_text
from shared_metadata.program.source_schemas import FOLDER
from tests.background import fresh_aws
from tests.e2e import databricks_workspace, snowflake_account
from tests.e2e.engine_programs import EVERY, FLEET
from tests.e2e.one_program import store_secret
from tests.e2e.same_rows import OWN, as_json, databricks_rows, lake_rows, redshift_rows, snowflake_rows, unlike
from tests.e2e.test_airline import MINUTE, Deployed

pytestmark = [pytest.mark.timeout(3000), pytest.mark.budget(600), pytest.mark.deep, pytest.mark.nightly]
# What `atoll translate` does not write over, with why, and the words by which it is written by hand.
BY_HAND = {
    "lake.ops.carrier_score": (
        "a CAST of double to decimal(18,2) is not known to mean the same",
        {"round(sum(d.minutes_late) / nullif": "round(CAST(sum(d.minutes_late) AS {double}) / nullif"},
    )
}
REJECTED = "ops.fleet__rejected"
Rows = Callable[[str, str], Any]  # schema and table ▸ its rows, as Arrow


@dataclass(frozen=True)
class Beside:
    """One of the warehouses.  options: of its CREATE WAREHOUSE.  opened: gives the rows of its tables.  double: its word for that."""

    name: str
    options: Callable[[EmbeddedAws], str]
    opened: Callable[[EmbeddedAws], Rows]
    double: str = "DOUBLE PRECISION"


def _snowflake(aws: EmbeddedAws) -> Rows:
    served, integration = snowflake_account.opened(aws, "dwh")
    integration.user()
    store_secret(aws, "snowflake", served.secret)
    return lambda schema, table: snowflake_rows(served, schema, table)


def _databricks(aws: EmbeddedAws) -> Rows:
    served, credential = databricks_workspace.opened(aws, "dwh")
    credential.user()
    store_secret(aws, "databricks", served.secret)
    return lambda schema, table: databricks_rows(served, schema, table)


WAREHOUSES = {
    one.name: one
    for one in (
        Beside("redshift", lambda aws: "managed = TRUE", lambda aws: lambda schema, table: redshift_rows(aws, schema, table)),
        Beside("snowflake", snowflake_account.written, _snowflake),
        Beside("databricks", databricks_workspace.written, _databricks, "DOUBLE"),
    )
}


class Both(Deployed):
    """The airline in the lake and, by the same sources, in another warehouse.  text: of its program."""

    def __init__(self, demo: Demo, beside: Beside, folder: Path) -> None:
        self.beside, self.folder = beside, folder
        super().__init__(demo)

    def prepare(self) -> None:
        """The tables that the other one publishes to, and the program of both."""
        with psycopg.connect(self.demo.dsn, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA published_there")
            for table in ("carrier_scorecard", "airport_delays"):
                connection.execute(f"CREATE TABLE published_there.{table} (LIKE published.{table} INCLUDING ALL)")  # type: ignore[arg-type]
        self.rows_there = self.beside.opened(self.demo.stack)
        self.write(PROGRAM.read_text() + FLEET)

    def write(self, text: str) -> None:
        """The program in both warehouses."""
        text = text.replace("EVERY '1 minute'", f"EVERY '{EVERY // MINUTE} minutes'")
        there = translated(text, self.beside, self.beside.options(self.demo.stack), self.folder)
        there = re.sub(r"\blake\b", "dwh", there).replace("ops.published.", "ops.published_there.")
        statements = [one for one in there.split(";") if "CREATE CONNECTION" not in one]
        (self.folder / "program.sql").write_text(text + ";".join(statements))

    def datasets(self) -> list[str]:
        """The tables of the lake, 'ops.flights', of which the other warehouse has each too."""
        tables = {table.dataset for flow in self.program.flows.values() for table in flow.tables if ":" not in table.dataset}
        here = sorted(name.partition(".")[2] for name in tables if name.startswith("lake."))
        assert here == sorted(name.partition(".")[2] for name in tables if name.startswith("dwh.")) and len(here) == 10
        return here

    def unlike(self) -> dict[str, list[str]]:
        """Of each dataset, and of what is published, the rows that only one of the two has; nothing where there are none."""
        found = {}
        for name in self.datasets():
            schema, table = name.split(".")
            found[name] = unlike(lake_rows(self.demo.stack, schema, table), self.rows_there(schema, table), OWN)
        schema, table = REJECTED.split(".")  # each batch sets the same rows aside again
        aside = [as_json(rows) for rows in (lake_rows(self.demo.stack, schema, table), self.rows_there(schema, table))]
        found[REJECTED] = unlike(aside[0], aside[1], OWN, once=True)
        with psycopg.connect(self.demo.dsn) as connection:
            for table in ("carrier_scorecard", "airport_delays"):
                pairs = (("published", "published_there"), ("published_there", "published"))
                queries = [f"SELECT * FROM {one}.{table} EXCEPT ALL SELECT * FROM {other}.{table}" for one, other in pairs]
                found[table] = [str(row) for query in queries for row in connection.execute(query).fetchall()]  # type: ignore[arg-type]
        return {name: rows[:4] for name, rows in found.items() if rows}

    def wait_now(self, title: str, moment: datetime | None = None) -> None:
        self.demo.wait(self.program, after(moment or datetime.now(UTC)), title)


def after(moment: datetime) -> datetime:
    """The end of the batches that see what has happened by this moment."""
    return floor(moment, int(EVERY.total_seconds())) + EVERY


def translated(text: str, beside: Beside, options: str, folder: Path) -> str:
    """A program that `atoll translate` has written over, as somebody calls it in a project's folder, and the rest by hand."""
    project = folder / "translated"
    shutil.copytree(folder / FOLDER, project / FOLDER, dirs_exist_ok=True)
    file = project / "program.sql"
    file.write_text(text)
    with contextlib.chdir(project):
        asked = ["translate", "--to", beside.name, "--with", options, "--json"]
        told = json.loads(CliRunner().invoke(main, asked).stdout)
        left = {one["dataset"]: one["errors"] for one in told["statements"] if one["errors"]}
        assert left.keys() == BY_HAND.keys() and told["errors"] == [], told
        for dataset, errors in left.items():
            assert [BY_HAND[dataset][0] in error["message"] for error in errors] == [True], errors
        CliRunner().invoke(main, [*asked, "--write"])
    found = file.read_text()
    for words in (words for _, words in BY_HAND.values()):
        for before, after in words.items():
            assert found.count(before) == 1
            found = found.replace(before, after.replace("{double}", beside.double))
    return found


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(f"warehouse {name}")) for name in WAREHOUSES]
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(PROGRAM.parent / FOLDER, folder / FOLDER)
    snapshot = json.loads((folder / FOLDER / "ops.json").read_text())
    tables: dict[str, Any] = snapshot["tables"]
    known = {name.replace("published.", "published_there."): table for name, table in tables.items() if "published." in name}
    (folder / FOLDER / "ops.json").write_text(json.dumps({**snapshot, "tables": {**tables, **known}}))
    try:
        with fresh_aws() as stack, pytest.MonkeyPatch.context() as patch:
            patch.setattr(airline_demo, "TIMEOUT_SECONDS", 1500)
            yield Both(Demo(stack, folder / "crm", folder / "program.sql"), WAREHOUSES[request.param], folder)
    finally:
        crm.down(folder / "crm")


def test_each_dataset_and_what_is_published_has_the_same_rows_as_the_lake_s(both: Both) -> None:
    assert both.unlike() == {}
    assert both.differences() == []
    assert lake_rows(both.demo.stack, *REJECTED.split(".")).num_rows > 0


def test_also_after_changes_deletes_a_new_column_a_wider_type_and_a_row_that_is_set_aside(both: Both) -> None:
    both.demo.change()
    with psycopg.connect(both.demo.dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE planes ADD COLUMN owner text")
        connection.execute("UPDATE planes SET owner = 'O''Hare \\ «größer»' WHERE engines = 2")
        connection.execute("ALTER TABLE airports ALTER COLUMN alt TYPE bigint")
        connection.execute("UPDATE airports SET alt = 3000000000 WHERE faa = 'JFK'")
        connection.execute("INSERT INTO planes (tailnum, year, seats) VALUES ('N-OLD', 1800, 1), ('N-NEW', 2026, 2)")
    both.wait_now("the batches after the change")
    assert both.unlike() == {}
    assert both.differences() == []
    planes = both.rows_there("ops", "planes").to_pylist()
    assert {"owner", "OWNER"} & planes[0].keys()
    rejected = lake_rows(both.demo.stack, *REJECTED.split(".")).to_pylist()
    assert any(json.loads(row["data"])["tailnum"] == "N-OLD" for row in rejected)


def test_a_changed_program_takes_effect_at_one_boundary_in_both(both: Both) -> None:
    """A view and its reader change together; the batches before the boundary are the former program's."""
    text = PROGRAM.read_text().replace("sum(dep_delay) AS minutes_late,", "sum(dep_delay) AS minutes_late, max(dep_delay) AS latest,")
    text = text.replace("SELECT d.carrier, r.name, count(*)", "SELECT d.carrier, r.name, max(d.latest) AS latest, count(*)")
    both.write(text + FLEET)
    former, compilation = both.program.version, compile_project([both.demo.program])
    both.demo.apply(compilation)
    both.program, reader = compilation.program, both.demo.target.reader
    both.wait_now("the batches of the changed program", reader.timeline().earliest)
    assert both.unlike() == {} and both.differences() == []
    first: Mapping[str, set[str]] = {
        name: {
            to_text(batch.interval.start)
            for view in ("carrier_day", "carrier_score")
            for batch in [min(_batches(reader, f"{name}.ops.{view}", compilation.program.version), key=lambda b: b.interval.start)]
        }
        for name in ("lake", "dwh")
    }
    assert first["lake"] == first["dwh"] and len(first["dwh"]) == 1, (former, first)


def _batches(reader: Any, flow: str, version: str) -> list[Any]:
    return [batch for batch in reader.batches(flow, flow, 100) if batch.program_version == version]


def test_a_batch_that_is_made_again_leaves_what_is_there(both: Both) -> None:
    for view in ("carrier_day", "fleet"):
        name = f"dwh.ops.{view}"
        end = both.watermark(name, name)
        ended = both.execute(f"organize.{both.beside.name}", {"flow": name, "from": to_text(end - EVERY), "to": to_text(end)})
        assert ended["status"] == "SUCCEEDED", ended
    both.wait_now("what is under way")
    assert both.unlike() == {}
