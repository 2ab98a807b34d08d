"""What the roles of the lake's larger engines may have computed, and where: each call differs in one word from one that is taken."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.target import Target
from infra.embedded import EmbeddedAws
from shared_metadata import naming
from slices.organize.athena.workgroup import workgroup
from slices.organize.spark.application import VARIABLE, application_of
from tests.e2e.one_program import as_function, deployed, refused, writes_below_one_prefix
from tests.spark_lake import spark_lake

pytestmark = [
    *(pytest.mark.xdist_group("engine roles"), pytest.mark.timeout(900), pytest.mark.budget(200)),
    *(pytest.mark.deep, pytest.mark.security),
]
PROGRAM = Path(__file__).with_name("engines.sql")
ATHENA, SPARK = "atoll-organize-athena-refresh", "atoll-organize-spark-refresh"


@pytest.fixture(scope="module")
def target(own_aws: EmbeddedAws) -> Iterator[Target]:
    with deployed(own_aws, PROGRAM, "OrganizeAthenaSlice", "OrganizeSparkSlice") as found:
        yield found


def test_athena_s_role_works_in_the_one_workgroup(target: Target, own_aws: EmbeddedAws) -> None:
    """The account's owner makes the other one, and works there."""
    owner, function = target.session.client("athena"), as_function(target, own_aws, ATHENA, "athena")
    place: Any = {"ResultConfiguration": {"OutputLocation": f"s3://{naming.data_bucket(own_aws.account, own_aws.region)}/elsewhere/"}}
    owner.create_work_group(Name="another", Configuration=place)
    theirs = owner.start_query_execution(QueryString="SELECT 1", WorkGroup="another")["QueryExecutionId"]
    assert function.start_query_execution(QueryString="SELECT 1", WorkGroup=workgroup("lake"))["QueryExecutionId"]
    refused(
        lambda: function.start_query_execution(QueryString="SELECT 1", WorkGroup="another"),
        lambda: function.get_query_execution(QueryExecutionId=theirs),
        lambda: function.get_query_results(QueryExecutionId=theirs),
        lambda: function.stop_query_execution(QueryExecutionId=theirs),
        lambda: function.update_work_group(WorkGroup=workgroup("lake"), ConfigurationUpdates={}),
    )


def test_spark_s_role_has_jobs_run_in_the_one_application_and_by_the_one_role(target: Target, own_aws: EmbeddedAws) -> None:
    """No job needs a Spark here: each is refused by the service once it is there."""
    function = as_function(target, own_aws, SPARK, "emr-serverless")
    told = target.session.client("lambda").get_function_configuration(FunctionName=SPARK)["Environment"]["Variables"]
    own = application_of("lake", "here", {VARIABLE: told[VARIABLE]})
    with spark_lake(own_aws) as another:
        another.fault("refused", count=9)
        theirs = _start(another.emr, another.application, another.role)["jobRunId"]
        started = _start(function, own.id, own.role)["jobRunId"]
        assert function.get_job_run(applicationId=own.id, jobRunId=started)["jobRun"]["state"]
        refused(
            lambda: _start(function, another.application, own.role),
            lambda: _start(function, own.id, another.role),
            lambda: function.get_job_run(applicationId=another.application, jobRunId=theirs),
            lambda: function.cancel_job_run(applicationId=another.application, jobRunId=theirs),
            lambda: function.stop_application(applicationId=own.id),
        )


@pytest.mark.parametrize(("function", "slice_id"), [(ATHENA, "organize.athena"), (SPARK, "organize.spark")])
def test_a_role_writes_below_its_own_prefix_and_in_no_other_database(
    target: Target, own_aws: EmbeddedAws, function: str, slice_id: str
) -> None:
    writes_below_one_prefix(target, own_aws, function, slice_id)
    glue = as_function(target, own_aws, function, "glue")
    target.session.client("glue").create_database(DatabaseInput={"Name": f"theirs_{slice_id[-5:]}"})
    refused(
        lambda: glue.create_table(DatabaseName=f"theirs_{slice_id[-5:]}", TableInput={"Name": "t"}),
        lambda: glue.delete_table(DatabaseName="lake_ops", Name="flights"),
    )


def _start(client: Any, application: str, role: str) -> dict[str, Any]:
    driver = {"sparkSubmit": {"entryPoint": "s3://nowhere/job.py"}}
    return dict(
        client.start_job_run(applicationId=application, executionRoleArn=role, clientToken=str(uuid.uuid4()), jobDriver=driver)
    )
