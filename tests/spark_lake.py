"""A lake in the embedded AWS with an application of EMR Serverless, as a stack makes it, and jobs by boto3 as they are."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from doubles.emr_serverless.parts import NoSpark, fetched
from doubles.emr_serverless.runs import ENDED
from infra.embedded import EmbeddedAws
from shared_metadata.contract.runtime.staging import read_json
from slices.organize.spark.application import Application
from slices.organize.spark.service import EmrServerless
from slices.organize.spark.stack import RELEASE, SCRIPT
from tests.athena_lake import AthenaLake

JOB_SECONDS = 400  # the first one waits for Spark


def real_spark() -> None:
    """Fetches Spark, or skips the test."""
    try:
        fetched()
    except NoSpark as none:
        pytest.skip(str(none))


class SparkLake(AthenaLake):
    """One database and bucket; an application, and a role that may do what a job over the lake does."""

    def __init__(self, aws: EmbeddedAws, capacity: int = 64) -> None:
        super().__init__(aws)
        self.emr, self.iam = aws.session().client("emr-serverless"), aws.session().client("iam")
        self.role = self.role_with([*self.grants().values()])
        self.s3.put_object(Bucket=self.name, Key="assets/job.py", Body=SCRIPT.read_bytes())
        self.application = self.make_application(capacity)

    def grants(self, workgroup: str = "") -> dict[str, dict[str, Any]]:
        """What a job needs, by what it is for."""
        of = super().grants()
        kept = {name: of[name] for name in ("catalog", "commit", "data", "write", "bucket")}
        own = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{self.name}/answers/*"}
        return {**kept, "answers": own, "script": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.name}/assets/*"}}

    def role_with(self, grants: Sequence[Mapping[str, Any]], trusts: str = "emr-serverless.amazonaws.com") -> str:
        name = f"job-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in grants]}
        made = self.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        self.iam.put_role_policy(RoleName=name, PolicyName="granted", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])

    def make_application(self, capacity: int) -> str:
        """By CloudFormation; its id."""
        properties = {
            **{"Name": "tests", "Type": "Spark", "ReleaseLabel": RELEASE, "Architecture": "ARM64"},
            "MaximumCapacity": {"Cpu": f"{capacity} vCPU", "Memory": f"{capacity * 8} GB"},
        }
        resource = {"Type": "AWS::EMRServerless::Application", "Properties": properties}
        template = {"Resources": {"App": resource}, "Outputs": {"Id": {"Value": {"Fn::GetAtt": ["App", "ApplicationId"]}}}}
        formation, name = self.aws.session().client("cloudformation"), f"app-{uuid.uuid4().hex[:8]}"
        formation.create_stack(StackName=name, TemplateBody=json.dumps(template))
        formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        (output,) = formation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
        return str(output["OutputValue"])

    def service(self, table: str, *, minutes: int = 60, client: Any = None, role: str = "") -> EmrServerless:
        """The slice's own way to run jobs.  table: of the database."""
        return EmrServerless(
            client or self.emr,
            self.s3,
            Application(self.application, role or self.role, f"s3://{self.name}/assets/job.py"),
            warehouse="lake",
            bucket=self.name,
            prefix="answers/",
            table=f"atoll.{self.database}.{table}",
            minutes=minutes,
            place="program.sql:1:1",
        )

    def insert(self, table: str, query: str, asks: Mapping[str, str] | None = None) -> str:
        """A job's document.  query: over tables of the database, called `db.name`."""
        spelled = query.replace("db.", f"atoll.{self.database}.")
        name = f"atoll.{self.database}.{table}"
        writes = [{"table": name, "sql": f"INSERT INTO {name} {spelled}"}]
        return json.dumps({"writes": writes, "asks": dict(asks or {}), "rows": "atoll_rows"})

    def run_to_its_end(self, id: str) -> dict[str, Any]:
        """The job run when it has ended."""
        application, run = id.split("/")
        until = time.monotonic() + JOB_SECONDS
        while time.monotonic() < until:
            found = self.emr.get_job_run(applicationId=application, jobRunId=run)["jobRun"]
            if found["state"] in ENDED:
                return dict(found)
            time.sleep(0.1)
        raise AssertionError(f"the job does not end: {found}")

    def job_answer(self, run: Mapping[str, Any]) -> dict[str, Any] | None:
        place = run["jobDriver"]["sparkSubmit"]["entryPointArguments"][0]
        return read_json(self.s3, self.name, place.removeprefix(f"s3://{self.name}/").replace(".json", ".answer.json"))

    def fault(self, kind: str, count: int = 1, match: str = "", **changes: Any) -> None:
        """Has the next calls or jobs go wrong in whose action or words the regular expression is found."""
        self._door(fault={"kind": kind, "count": count, "match": match, **changes})

    def runs(self) -> list[dict[str, str]]:
        return list(self._door()["runs"])

    def _door(self, **body: Any) -> dict[str, Any]:
        session = self.aws.session()
        request = AWSRequest("POST", f"{self.aws.endpoint}/double", {"Content-Type": "application/json"}, json.dumps(body))
        SigV4Auth(session.get_credentials().get_frozen_credentials(), "emr-serverless", self.aws.region).add_auth(request)
        answer = URLLib3Session(verify=str(self.aws.ca_bundle)).send(request.prepare())  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return dict(json.loads(answer.text))


@contextmanager
def spark_lake(aws: EmbeddedAws) -> Iterator[SparkLake]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", str(aws.ca_bundle))
        patch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
        found = SparkLake(aws)
        yield found
        found._door(disarm=True)
