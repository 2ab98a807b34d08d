"""Views that Athena computes over the lake's own tables: compiled as a user's are, run as the state machines run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import slices.organize.athena.handlers as athena
from language import ProgramErrors
from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.contract.waiting.turn import Turn
from shared_metadata.errors import DefinitionError
from slices.organize.athena.service import Athena
from slices.organize.athena.slice import SLICE
from slices.organize.athena.workgroup import ANSWERS, workgroup
from tests.conformance.engine_views import EngineViews, EngineViewsConformance, carriers, forget_databases
from tests.conformance.fixtures import REGION, Cloud, FakeContext, open_cloud, shared_session
from tests.conformance.organize import FLIGHTS, VIEW, flights
from tests.memory.athena import MemoryAthena


class Views(EngineViews):
    service: MemoryAthena

    def submitted(self) -> int:
        return len(self.service.double.executions_of_account)

    def last_query(self) -> Mapping[str, Any]:
        return [*self.service.double.executions_of_account.values()][-1]


def serve(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Views:
    """The lake, with Athena in memory."""
    service = MemoryAthena(shared_session, REGION)
    service.make_workgroup(workgroup("lake"), f"s3://{cloud.bucket}/{ANSWERS}")
    monkeypatch.setitem(shared_session()._in_memory, "athena", service)  # type: ignore[attr-defined]
    made = Views(cloud, SLICE, athena.open_driver)
    made.service, made.engine = service, "athena"
    return made


class TestAthena(EngineViewsConformance):
    engine = "athena"

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Views:
        return serve(cloud, monkeypatch)


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Views]:
    for cloud in open_cloud(monkeypatch):
        yield serve(cloud, monkeypatch)
        forget_databases(cloud)


def test_each_engine_reads_what_the_other_made_and_a_view_may_go_from_one_to_the_other(lake: Views) -> None:
    of_those = f"CREATE MATERIALIZED VIEW lake.ops.first EVERY '1 hour' REPLACE USING duckdb AS SELECT carrier[1] AS c FROM {VIEW};"
    last = "CREATE MATERIALIZED VIEW lake.ops.last EVERY '1 hour' REPLACE {} AS SELECT max(c) AS c FROM lake.ops.first;"
    lake.program(carriers() + of_those + last.format(""))
    lake.load(flights((1, "AA"), (2, "UA")))
    for flow in (VIEW, "lake.ops.first", "lake.ops.last"):
        lake.run(flow)
    assert [r["c"] for r in lake.rows("lake.ops.last")] == ["U"]
    lake.program(carriers() + of_those + last.format("USING duckdb"))
    lake.load(flights((1, "AA"), (2, "ZA")))
    for flow in (VIEW, "lake.ops.first", "lake.ops.last"):
        lake.run(flow)
    assert [r["c"] for r in lake.rows("lake.ops.last")] == ["Z"]


def test_a_view_may_say_what_analysts_say_in_this_engine_s_sql(lake: Views) -> None:
    """Lists made rows, lambdas, groups of groups, windows that have names, ordered aggregates: through the slice, into the table."""
    lake.program(f"""CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE EXPECT some: (any_match(xs, x -> x > 0)) OR FAIL AS
WITH each AS (
    SELECT f.carrier, u.x, u.o, rank() OVER w AS r
    FROM {FLIGHTS} f CROSS JOIN UNNEST(transform(ARRAY[f.id, f.id * 10], v -> v + 1)) WITH ORDINALITY AS u (x, o)
    WINDOW w AS (PARTITION BY f.carrier ORDER BY u.x DESC)
)
SELECT coalesce(carrier, 'all') AS carrier, grouping(carrier) AS g, array_agg(x ORDER BY x) AS xs,
    map_agg(o, x)[1] AS first, listagg(CAST(r AS varchar), '/') WITHIN GROUP (ORDER BY r) AS ranks
FROM each GROUP BY ROLLUP (carrier);""")
    lake.load(flights((1, "AA"), (2, "UA")))
    lake.run(VIEW)
    found = sorted((row["carrier"], row["g"], row["xs"], row["ranks"]) for row in lake.rows(VIEW))
    assert found == [("AA", 0, [2, 11], "1/2"), ("UA", 0, [3, 21], "1/2"), ("all", 1, [2, 3, 11, 21], "1/1/2/2")]
    assert {row["first"] for row in lake.rows(VIEW) if row["g"] == 0} == {2, 3}


# -- what goes wrong


@pytest.mark.parametrize("kind", ["lose_answer", "transient", "lost_commit", "slow", "queued"])
def test_what_the_service_loses_or_delays_changes_nothing(lake: Views, kind: str) -> None:
    lake.program(carriers("MERGE ON (carrier)", "EXPECT some: (id > 1) OR QUARANTINE"))
    lake.load(flights((1, "AA", 1.0), (2, "AA", 2.0), (3, "UA", 3.0)))
    lake.service.double.faults.arm(kind, count=2, match="StartQuery" if kind == "lose_answer" else "INSERT")
    lake.run(VIEW)
    assert [(r["carrier"], r["id"]) for r in lake.rows(VIEW)] == [("AA", 2)]
    assert [r["reason"] for r in lake.rows(f"{VIEW}__rejected")] == ["some"]
    assert lake.staging_tables() == []


def test_a_statement_that_does_not_end_at_once_is_paid_by_no_function(lake: Views) -> None:
    lake.program(carriers())
    lake.load(flights((1, "AA")))
    lake.service.double.faults.arm("slow", match="INSERT", seconds=6)
    assert lake.run(VIEW).pauses == [5]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("CAST(carrier AS integer) AS n", "INVALID_CAST_ARGUMENT, in words that may quote a row"),
        ("id / (id - 1) AS n", "DIVISION_BY_ZERO, in words that may quote a row"),
    ],
)
def test_an_error_has_the_statement_s_id_and_no_value(lake: Views, query: str, told: str) -> None:
    lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT {query} FROM {FLIGHTS};")
    lake.load(flights((1, "hidden-value")))
    (error,) = lake.run(VIEW, record_errors=True).errors.values()
    assert isinstance(error, DefinitionError) and "program.sql:4" in str(error)
    assert f"Athena query {lake.last_query()['QueryExecutionId']} failed: {told}" in str(error) and "hidden-value" not in str(error)


def test_a_statement_that_would_scan_too_much_is_stopped_and_told_how_to_allow_it(lake: Views) -> None:
    lake.program(carriers())
    lake.load(flights((1, "AA")))
    lake.service.double.faults.arm("cancel", match="INSERT", message="Bytes scanned limit was exceeded")
    (error,) = lake.run(VIEW, record_errors=True).errors.values()
    assert "scan_limit_gb" in str(error)


def test_a_statement_that_takes_longer_than_the_account_allows_names_the_quota_and_is_run_once(lake: Views) -> None:
    lake.program(carriers())
    lake.load(flights((1, "AA")))
    lake.service.double.executions.settings.dml_seconds = 0.2
    lake.service.double.faults.arm("slow", match="INSERT", seconds=30)
    (error,) = lake.run(VIEW, record_errors=True).errors.values()
    assert "it took longer than the account lets a query take (30 minutes by itself)" in str(error)
    assert '"DML query timeout" of Athena in Service Quotas, to 240 minutes at most' in str(error) and "USING spark" in str(error)
    assert lake.submitted() == 1


def test_a_statement_that_an_administrator_cancels_is_told_so(lake: Views) -> None:
    lake.program(carriers())
    lake.load(flights((1, "AA")))
    lake.service.double.faults.arm("cancel", match="INSERT")
    (error,) = lake.run(VIEW, record_errors=True).errors.values()
    assert "was cancelled by somebody else" in str(error)


def test_a_statement_longer_than_the_service_takes_is_refused_by_name(lake: Views) -> None:
    service = Athena(lake.cloud.session.client("athena"), workgroup("lake"), "lake_atoll_staging", "program.sql:1:1")
    with pytest.raises(DefinitionError, match="262,145 bytes, and Athena takes 262,144"):
        service.submit("x" * 262_145, "token")


def test_a_token_of_another_text_is_another_version_s_statement(lake: Views) -> None:
    service = Athena(lake.cloud.session.client("athena"), workgroup("lake"), "lake_atoll_staging", "program.sql:1:1")
    token = Turn("refresh", "a claim's step").token("rows")
    service.submit("SELECT 1", token)
    with pytest.raises(DefinitionError, match="the Athena query of this step was submitted by another version"):
        service.submit("SELECT 2", token)


def test_statements_stand_in_the_statistics_of_their_batch(lake: Views) -> None:
    lake.program(carriers(more="EXPECT some: (id > 0) OR WARN"))
    lake.load(flights((1, "AA")))
    lake.run(VIEW)
    (found,) = lake.cloud.reader.statistics(VIEW)
    assert [one["purpose"] for one in found["statements"]] == ["rows", "counts"]
    assert found["statements"][0]["bytes_scanned"] > 0
    assert [one["used"] for one in found["statements"]] == [{"athena_mb_scanned": 10}] * 2


@pytest.mark.parametrize("what", [VIEW, "ops.public.out:result"])
def test_what_batches_left_that_did_not_end_is_forgotten_by_maintenance(lake: Views, what: str) -> None:
    lake.program(carriers() + f"INSERT INTO ops.public.out EVERY '1 hour' REPLACE AS SELECT id FROM {FLIGHTS};")
    lake.load(flights((1, "AA")))
    lake.run(what)
    lake.load(flights((2, "AA")))
    lake.service.double.faults.arm("fail", match="INSERT")
    lake.run(what, record_errors=True)
    assert len(lake.staging_tables()) == 1
    lake.age_staging_tables()
    MaintainStep(SLICE, lake.cloud.services(SLICE.id), athena.open_driver)({"dataset": what}, FakeContext())
    assert lake.staging_tables() == []


def test_a_struct_with_other_fields_than_the_table_s_is_refused(lake: Views) -> None:
    """Athena takes rows by the order of their fields, so that one could become another's."""
    head = f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' APPEND"
    lake.program(f"{head} USING duckdb AS SELECT {{'a': id, 'b': id}} AS s FROM {FLIGHTS};")
    lake.load(flights((1, "AA")))
    lake.run(VIEW)
    for fields, row in (("b bigint, a bigint", "id, id"), ("a bigint", "id")):
        lake.program(f"{head} AS SELECT CAST(ROW({row}) AS ROW({fields})) AS s FROM {FLIGHTS};")
        lake.load(flights((2, "AA")))
        (error,) = lake.run(VIEW, record_errors=True).errors.values()
        assert "not those of the table, in the same order: a, b" in str(error)


def test_a_column_s_name_that_files_would_spell_otherwise_is_refused_when_it_is_compiled(lake: Views) -> None:
    with pytest.raises(ProgramErrors, match="athena writes no column called `account name`"):
        lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT id AS \"Account Name\" FROM {FLIGHTS};")


@pytest.mark.parametrize(
    "reason",
    [
        "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: glue:GetDatabase on arn:aws:glue:x:1:database/default",
        "Insufficient Lake Formation permission(s) on flights",
    ],
)
def test_a_right_that_is_missing_is_named(lake: Views, reason: str) -> None:
    lake.program(carriers())
    lake.load(flights((1, "AA")))
    lake.service.double.faults.arm("fail", match="INSERT", message=reason)
    (error,) = lake.run(VIEW, record_errors=True).errors.values()
    assert reason in str(error)


def test_another_engine_makes_a_view_anew_though_neither_its_text_nor_its_inputs_have_changed(lake: Views) -> None:
    """The same text may mean something else there: of whole numbers, `/` gives a whole number in Trino's SQL."""
    query = f"SELECT CAST(id / 2 AS double) AS half FROM {FLIGHTS} AS f"
    view = f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE {{}} AS {query};"
    lake.program(view.format("USING duckdb"))
    lake.load(flights((1, "AA")))
    lake.run(VIEW)
    assert [r["half"] for r in lake.rows(VIEW)] == [0.5]
    lake.program(view.format(""))
    lake.load(None)
    lake.run(VIEW)
    assert [r["half"] for r in lake.rows(VIEW)] == [0.0]
