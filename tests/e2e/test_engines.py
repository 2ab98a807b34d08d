"""The reference program with other engines for its views, deployed: the same rows on each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from examples.airline import crm
from examples.airline.demo import Demo
from tests.background import fresh_aws
from tests.e2e.engine_programs import SAID, write_program
from tests.e2e.test_airline import Deployed
from tests.spark_lake import real_spark

pytestmark = [pytest.mark.timeout(1500), pytest.mark.budget(600), pytest.mark.deep, pytest.mark.nightly]


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
        with fresh_aws() as stack:
            yield Deployed(Demo(stack, folder / "crm", folder / "program.sql"))
    finally:
        crm.down(folder / "crm")


def test_what_is_published_is_what_the_sources_say_before_and_after_they_change(deployed: Deployed) -> None:
    assert deployed.differences() == []
    moment = deployed.demo.change()
    assert len(deployed.differences()) == 2
    deployed.demo.wait(deployed.program, moment, "the batches after the change")
    assert deployed.differences() == []


def test_its_statements_stand_in_the_statistics_and_it_leaves_no_table_beside(deployed: Deployed, engine: str) -> None:
    if engine == "auto":
        pytest.skip("of what is computed here no statement stands there")
    computed = [flow for flow in deployed.program.flows.values() if flow.slice_id == f"organize.{engine}"]
    assert len(computed) == 5
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
