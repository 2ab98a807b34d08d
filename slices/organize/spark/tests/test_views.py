"""Views that jobs compute over the lake's own tables, as every engine does, and what is this slice's own; DuckDB runs the jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest

import slices.organize.spark.handlers as spark
from language import ProgramErrors
from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.contract.waiting.turn import Turn
from shared_metadata.errors import DefinitionError
from slices.organize.spark.application import VARIABLE, Application, application_of, variable
from slices.organize.spark.service import EmrServerless
from slices.organize.spark.slice import SLICE
from tests.conformance.engine_views import EngineViews, EngineViewsConformance, ServedEngine, carriers
from tests.conformance.fixtures import REGION, Cloud, FakeContext, shared_session
from tests.conformance.organize import FLIGHTS, VIEW, flights
from tests.memory.emr_serverless import ROLE, MemoryEmrServerless


class Views(EngineViews):
    service: MemoryEmrServerless

    def submitted(self) -> int:
        return len(self.service.double.runs)

    def document(self) -> dict[str, Any]:
        """That of the last job."""
        run = [*self.service.double.runs.values()][-1]
        place = run["jobDriver"]["sparkSubmit"]["entryPointArguments"][0].removeprefix(f"s3://{self.cloud.bucket}/")
        return dict(json.loads(self.cloud.s3.get_object(Bucket=self.cloud.bucket, Key=place)["Body"].read()))


class Served(ServedEngine):
    engine = "spark"

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Views:
        service = MemoryEmrServerless(shared_session, REGION)
        made = {"lake": Application(service.make_application(), ROLE, f"s3://{cloud.bucket}/assets/job.py")}
        monkeypatch.setenv(VARIABLE, json.dumps(variable(made)))
        monkeypatch.setitem(shared_session()._in_memory, "emr-serverless", service)  # type: ignore[attr-defined]
        views = Views(cloud, SLICE, spark.open_driver)
        views.service = service
        return views


@pytest.mark.repeats(3)
class TestEngine(Served, EngineViewsConformance):
    """What every engine does, which the quick suite runs whole for Athena."""


class TestSpark(Served):
    @pytest.mark.parametrize("kind", ["lose_answer", "refused", "queued", "slow"])
    def test_what_the_service_loses_or_delays_changes_nothing(self, lake: Views, kind: str) -> None:
        lake.program(carriers("MERGE ON (carrier)", "EXPECT some: (id > 1) OR QUARANTINE"))
        lake.load(flights((1, "AA", 1.0), (2, "AA", 2.0), (3, "UA", 3.0)))
        lake.service.double.faults.arm(kind, count=2, match="StartJobRun" if kind == "lose_answer" else "")
        lake.run(VIEW)
        assert [(row["carrier"], row["id"]) for row in lake.rows(VIEW)] == [("AA", 2)]
        assert [row["reason"] for row in lake.rows(f"{VIEW}__rejected")] == ["some"]
        assert lake.staging_tables() == []

    def test_one_job_does_all_but_setting_rows_aside(self, lake: Views) -> None:
        """A job takes minutes to begin."""
        lake.program(carriers("MERGE ON (carrier)", "EXPECT some: (id > 0) OR FAIL EXPECT many: (id > 1) OR WARN"))
        lake.load(flights((1, "AA"), (2, "UA"), (3, "UA")))
        lake.run(VIEW)
        assert lake.submitted() == 1 and lake.document()["asks"].keys() == {"counts", "twice"}
        (found,) = lake.cloud.reader.statistics(VIEW)
        (job,) = found["statements"]
        assert (job["purpose"], job["rows"]) == ("rows", 2) and job["id"].count("/") == 1
        assert job["used"]["emr_vcpu_hours"] > 0 and job["used"]["emr_gb_hours"] > 0

    def test_a_job_gets_pointers_and_no_statement(self, lake: Views) -> None:
        lake.program(carriers())
        lake.load(flights((1, "AA")))
        lake.run(VIEW)
        (run,) = lake.service.double.runs.values()
        given = run["jobDriver"]["sparkSubmit"]
        document, table = given["entryPointArguments"]
        assert document.startswith(f"s3://{lake.cloud.bucket}/answers/organize.spark/lake/") and table.startswith(
            "atoll.lake_atoll_staging.t"
        )
        assert "SELECT" not in json.dumps(run["jobDriver"]) and "spark.sql.ansi.enabled=true" in given["sparkSubmitParameters"]
        assert run["executionTimeoutMinutes"] == 360

    def test_a_statement_is_written_as_spark_reads_it(self, lake: Views) -> None:
        text = "'it''s \\ \"so\" -- no comment'"
        lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT {text} AS \"select\", id FROM {FLIGHTS};")
        lake.load(flights((1, "AA")))
        lake.run(VIEW)
        assert [row["select"] for row in lake.rows(VIEW)] == ['it\'s \\ "so" -- no comment']
        assert "'it\\'s \\\\ \"so\" -- no comment' AS `select`" in lake.document()["writes"][0]["sql"]

    def test_a_job_that_does_not_end_at_once_is_paid_by_no_function(self, lake: Views) -> None:
        lake.program(carriers())
        lake.load(flights((1, "AA")))
        lake.service.double.faults.arm("slow", seconds=6)
        assert lake.run(VIEW).pauses == [5]

    def test_a_failure_has_the_job_s_id_and_no_value(self, lake: Views) -> None:
        lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT CAST(carrier AS int) AS n FROM {FLIGHTS};")
        lake.load(flights((1, "hidden-value")))
        (error,) = lake.run(VIEW, record_errors=True).errors.values()
        (run,) = lake.service.double.runs.values()
        assert isinstance(error, DefinitionError) and "program.sql:4" in str(error) and "hidden-value" not in str(error)
        assert f"EMR Serverless job run {run['applicationId']}/{run['jobRunId']} failed: ConversionException" in str(error)

    def test_a_job_that_an_administrator_cancels_is_told_so(self, lake: Views) -> None:
        lake.program(carriers())
        lake.load(flights((1, "AA")))
        lake.service.double.faults.arm("slow", seconds=30)
        steps, context = lake.steps(), FakeContext()
        (state,) = steps.plan(lake.cloud.event(VIEW), context)["work"]
        waiting = steps.refresh(state, context)
        lake.service.double.at_work.cancel(next(iter(lake.service.double.runs.values())))
        with pytest.raises(DefinitionError, match="was cancelled by somebody else"):
            steps.refresh(waiting, context)

    def test_an_application_that_is_not_there_is_told_with_the_remedy(self, lake: Views, monkeypatch: pytest.MonkeyPatch) -> None:
        lake.program(carriers())
        lake.load(flights((1, "AA")))
        lake.service.double.applications.clear()
        (error,) = lake.run(VIEW, record_errors=True).errors.values()
        assert "takes no job" in str(error) and "deploy OrganizeSparkSlice again" in str(error)
        with pytest.raises(DefinitionError, match="no application of EMR Serverless was made for the warehouse other"):
            application_of("other", "program.sql:1:1")

    def test_a_token_of_another_job_is_another_version_s(self, lake: Views) -> None:
        client, token = lake.cloud.session.client("emr-serverless"), Turn("refresh", "a claim's step").token("rows")
        former, now = (
            EmrServerless(
                client,
                lake.cloud.s3,
                application_of("lake", "program.sql:1:1"),
                warehouse="lake",
                bucket=lake.cloud.bucket,
                prefix="answers/",
                table=name,
                minutes=60,
                place="program.sql:1:1",
            )
            for name in ("atoll.ops.one", "atoll.ops.other")
        )
        assert former.submit("{}", token) == former.submit("{}", token)
        with pytest.raises(DefinitionError, match="the EMR Serverless job run of this step was submitted by another version"):
            now.submit("{}", token)

    def test_what_batches_left_that_did_not_end_is_forgotten_by_maintenance(self, lake: Views) -> None:
        lake.program(carriers())
        lake.load(flights((1, "AA")))
        lake.run(VIEW)
        lake.load(flights((2, "AA")))
        lake.service.double.faults.arm("killed")
        lake.run(VIEW, record_errors=True)
        assert len(lake.staging_tables()) == 1
        lake.age_staging_tables()
        MaintainStep(SLICE, lake.cloud.services(SLICE.id), spark.open_driver)({"dataset": VIEW}, FakeContext())
        assert lake.staging_tables() == []

    def test_a_column_s_name_that_files_would_spell_otherwise_is_refused_when_it_is_compiled(self, lake: Views) -> None:
        with pytest.raises(ProgramErrors, match="spark writes no column called `account name`"):
            lake.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT id AS \"Account Name\" FROM {FLIGHTS};")
