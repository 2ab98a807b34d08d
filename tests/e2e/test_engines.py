"""The reference program with other engines for its views, deployed: the same rows on each, of every view and of what is published.

Each view stands there once more, in a schema beside, where DuckDB computes it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from examples.airline import crm
from examples.airline import demo as airline_demo
from examples.airline.demo import PROGRAM, Demo
from shared_metadata.program.source_schemas import FOLDER
from tests.background import fresh_aws
from tests.e2e.same_rows import as_json, lake_rows, unlike
from tests.e2e.test_airline import Deployed
from tests.e2e.test_warehouses import EVERY, FLEET, OWN, after
from tests.spark_lake import real_spark

pytestmark = [pytest.mark.timeout(1500), pytest.mark.budget(600), pytest.mark.deep, pytest.mark.nightly]
# What the reference program says otherwise in the SQL of an engine.
SAID = {
    "athena": {
        "CREATE WAREHOUSE lake USING iceberg;": "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'athena');",
        "round(sum(d.minutes_late) / nullif": "round(CAST(sum(d.minutes_late) AS double) / nullif",  # of integers it is an integer
    },
    "spark": {"CREATE WAREHOUSE lake USING iceberg;": "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'spark');"},
    # What reads all flights is Athena's, what reads only what was made of them DuckDB's.
    "auto": {
        "CREATE WAREHOUSE lake USING iceberg;": "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'auto', larger_from_gb = 0.002);",
        # The two round a CAST of a double otherwise.
        "CAST(sum(o.amount) AS DECIMAL(18, 2)) AS pipeline": "sum(o.amount) AS pipeline",
        "MERGE ON (carrier)\nAS\n": "MERGE ON (carrier) USING duckdb\nAS\n",
        "mean_delay, pipeline, deals FROM lake": "mean_delay, CAST(pipeline AS DECIMAL(18, 2)) AS pipeline, deals FROM lake",
    },
}


VIEW = re.compile(r"CREATE MATERIALIZED VIEW lake\.ops\.(\w+)(.*?)\nAS\b(.*?);", re.DOTALL)
VIEWS = ("carrier_day", "carrier_score", "flight_log", "fleet")
REJECTED = "fleet__rejected"


def write_program(folder: Path, engine: str) -> None:
    """The reference program as an engine has it, with its sources' schemas, and its views beside as DuckDB has them."""
    shutil.copytree(PROGRAM.parent / FOLDER, folder / FOLDER)
    plain = text = PROGRAM.read_text() + FLEET
    for here, there in SAID[engine].items():
        assert here in text
        text = text.replace(here, there)
    text += beside(text if engine == "auto" else plain)
    (folder / "program.sql").write_text(text.replace("EVERY '1 minute'", f"EVERY '{EVERY.seconds // 60} minutes'"))


def beside(text: str) -> str:
    """The views of a program once more, each of which reads those beside it."""
    views = "".join(
        f"\nCREATE MATERIALIZED VIEW lake.beside.{name}{how} USING duckdb\nAS{query};" for name, how, query in VIEW.findall(text)
    )
    names = "|".join(VIEWS)
    assert views.count("CREATE") == len(VIEWS)
    return re.sub(rf"lake\.ops\.({names})\b", r"lake.beside.\1", views)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SAID])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def deployed(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """All views, and what is published, computed by one engine."""
    if engine == "spark":
        real_spark()
    folder = tmp_path_factory.mktemp(engine)
    write_program(folder, engine)
    try:
        with fresh_aws() as stack, pytest.MonkeyPatch.context() as patch:
            patch.setattr(airline_demo, "TIMEOUT_SECONDS", 1500)  # twice the views, and three minutes between batches
            yield Deployed(Demo(stack, folder / "crm", folder / "program.sql"))
    finally:
        crm.down(folder / "crm")


def apart(deployed: Deployed) -> dict[str, list[str]]:
    """Of each view the rows that only one of the two engines has made; nothing where there are none."""
    here, there = (
        {name: lake_rows(deployed.demo.stack, schema, name) for name in (*VIEWS, REJECTED)} for schema in ("ops", "beside")
    )
    found = {name: unlike(there[name], here[name], OWN) for name in VIEWS}
    assert all(here[name].num_rows for name in (*VIEWS, REJECTED) if name != "flight_log")  # which has what changes alone
    found[REJECTED] = unlike(as_json(there[REJECTED]), as_json(here[REJECTED]), OWN, once=True)  # each batch sets them aside again
    return {name: rows[:4] for name, rows in found.items() if rows}


def test_each_view_and_what_is_published_is_the_same_before_and_after_the_sources_change(deployed: Deployed) -> None:
    assert deployed.differences() == [] and apart(deployed) == {}
    deployed.demo.change()
    with psycopg.connect(deployed.demo.dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO planes (tailnum, year, seats) VALUES ('N-OLD', 1800, 1), ('N-NEW', 2026, 2)")
    assert len(deployed.differences()) == 2
    deployed.demo.wait(deployed.program, after(datetime.now(UTC)), "the batches after the change")
    assert deployed.differences() == [] and apart(deployed) == {}
    assert "N-NEW" in lake_rows(deployed.demo.stack, "ops", "fleet").column("tailnum").to_pylist()
    assert lake_rows(deployed.demo.stack, "ops", "flight_log").num_rows


def test_its_statements_stand_in_the_statistics_and_it_leaves_no_table_beside(deployed: Deployed, engine: str) -> None:
    if engine == "auto":
        pytest.skip("of what is computed here no statement stands there")
    computed = [flow for flow in deployed.program.flows.values() if flow.slice_id == f"organize.{engine}"]
    assert len(computed) == 6
    for flow in computed:
        made = [found for found in deployed.demo.target.reader.statistics(flow.id) if found.get("statements")]
        assert made and all(one["id"] for found in made for one in found["statements"]), flow.id
    deployed.demo.wait(deployed.program, datetime.now(UTC).replace(second=0, microsecond=0), "what is under way")
    glue = deployed.demo.target.session.client("glue")
    assert len(glue.get_tables(DatabaseName="lake_atoll_staging")["TableList"]) <= len(computed)  # of batches that are at work


def test_with_auto_each_batch_tells_which_engine_computed_it_and_both_did(deployed: Deployed, engine: str) -> None:
    if engine != "auto":
        pytest.skip("it has no choice")
    found = {}
    for flow in deployed.program.flows.values():
        if flow.beyond is not None:
            made = deployed.demo.target.reader.statistics(flow.id)
            found[flow.id] = {one["engine"] for one in made if one["rows"]}
            assert all("its inputs are" in one["why"] for one in made), flow.id
    assert found["lake.ops.carrier_day"] == {"Athena"} and found["lake.ops.carrier_score"] == {"DuckDB"}, found


def test_tables_have_the_types_that_the_compiler_said(deployed: Deployed) -> None:
    lineage, reader = deployed.compilation.lineage, deployed.demo.target.reader
    assert lineage is not None
    for name, dataset in lineage.datasets.items():
        if name.startswith("lake."):
            registered = reader.latest_schema(dataset.dataset)
            assert registered, name
            assert {c.name: c.type for c in registered.schema.columns} == {c.name: c.type for c in dataset.columns}
