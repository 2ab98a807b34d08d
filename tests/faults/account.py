"""What one run of the reference program has to itself: an account of the embedded AWS, a database and a CRM."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import psycopg

from doubles.salesforce.oauth import make_credentials
from infra.embedded import EmbeddedAws
from language.compiler import Compilation, compile_sources
from shared_metadata import naming
from shared_metadata.program.source_schemas import FOLDER, ConnectionSchemas, SourceSchemas
from shared_metadata.store.writer import MetadataWriter
from slices.registry import installed
from tests.conformance.fixtures import create_metadata_table
from tests.faults import sources
from tests.faults.doors import Doors
from tests.inbox import Inbox

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "examples" / "airline" / "program.sql"
WEEKS = timedelta(days=14)


def begin(today: datetime) -> datetime:
    """The end of the first batch: two to four weeks ago, the same on all days of two weeks.

    The embedded AWS goes by the machine's clock when it removes what has expired (`expires`, 90 days after an event's moment), so
    the harness's days must not lie further back. Whole two weeks: programs' intervals of some days fall on the same of its days.
    """
    first = datetime(2026, 6, 1, tzinfo=UTC)
    return first + ((today - first) // WEEKS - 1) * WEEKS


BEGIN = begin(datetime.now(UTC))
TEMPLATE = "faults_seed"
# A database that has replication slots is not dropped.
_ENDED = """SELECT pg_terminate_backend(active_pid, 5000), pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE database = %s"""
QUEUE = "atoll-executions"
_numbers = itertools.count(1)


def compiled(*, captured: bool = False) -> Compilation:
    """The airline's program, with a day in the place of a minute. captured: flights come by their log."""
    text = PROGRAM.read_text().replace("EVERY '1 minute'", "EVERY '1 day'").replace("'5 minutes'", "'2 days'")
    text = text.replace(" CURSOR updated_at", " CAPTURE") if captured else text
    files = sorted((PROGRAM.parent / FOLDER).glob("*.json"))
    schemas: SourceSchemas = {found.connection: found for found in map(ConnectionSchemas.from_json, (f.read_text() for f in files))}
    return compile_sources({"program.sql": text}, installed(), schemas)


class Stage:
    """What all runs share: the embedded AWS, the doors before it, a database to copy, the program. captured: as `compiled`."""

    def __init__(self, stack: EmbeddedAws, *, captured: bool = False) -> None:
        self.stack, self.captured, self.credentials = stack, captured, make_credentials()
        self.compilation = compiled(captured=captured)
        self.doors = Doors(stack.endpoint, stack.ca_bundle, stack.postgres_port)
        self.dsn = stack.database(TEMPLATE)
        sources.seed(self.dsn)

    def admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn.replace(f"/{TEMPLATE}", "/postgres"), autocommit=True)

    def close(self) -> None:
        self.doors.close()


class Account:
    """All that a run has but its functions. postgres_port: where they reach the database."""

    def __init__(self, stage: Stage, postgres_port: int) -> None:
        number = next(_numbers)
        self.stage, self.program, self.now = stage, stage.compilation.program, BEGIN
        self.account, self.name = f"{700000000000 + number}", f"run_{number}"
        self._make_account()
        self._make_sources(postgres_port)

    def client(self, service: str) -> Any:
        """A client that goes past the doors."""
        return self.session.client(service, endpoint_url=self.stage.stack.endpoint, verify=str(self.stage.stack.ca_bundle))

    @property
    def dsn(self) -> str:
        return self.stage.dsn.replace(f"/{TEMPLATE}", f"/{self.name}")

    def _make_account(self) -> None:
        region = self.stage.stack.region
        self.session = boto3.Session(aws_access_key_id=self.account, aws_secret_access_key="x", region_name=region)
        self.dynamodb, self.s3, self.states, self.sqs = (self.client(s) for s in ("dynamodb", "s3", "stepfunctions", "sqs"))
        create_metadata_table(self.dynamodb, naming.METADATA_TABLE)
        self.bucket = naming.data_bucket(self.account, region)
        self.s3.create_bucket(Bucket=self.bucket)
        self.writer = MetadataWriter(self.dynamodb, naming.METADATA_TABLE, lambda: self.now)
        self.reader = self.writer.reader
        self.queue = self.sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        self.inbox = Inbox(self.client)
        role = self._role()
        for slice_id in self.program.slice_ids:
            message = {"token.$": "$$.Task.Token", "input.$": "$", "arn.$": "$$.Execution.Id", "slice": slice_id}
            work = {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {"QueueUrl": self.queue, "MessageBody": message},
                "End": True,
            }
            definition = json.dumps({"StartAt": "Work", "States": {"Work": work}})
            self.states.create_state_machine(name=naming.state_machine(slice_id), definition=definition, roleArn=role)

    def _role(self) -> str:
        """For state machines that do nothing but hand their input over."""
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        allowed = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
        arn = iam.create_role(RoleName="states", AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="states", PolicyName="queue", PolicyDocument=_policy(allowed))
        return str(arn)

    def _make_sources(self, port: int) -> None:
        with self.stage.admin() as connection:
            connection.execute(f"CREATE DATABASE {self.name} TEMPLATE {TEMPLATE}")  # type: ignore[arg-type]
        self.sales = sources.Sales(lambda: self.now, self.stage.credentials)
        self.sales.fill(BEGIN - timedelta(hours=30))
        parts = psycopg.conninfo.conninfo_to_dict(self.dsn)
        ops = {"host": "127.0.0.1", "port": port, "dbname": self.name, "sslmode": "disable"}
        ops |= {"username": parts["user"], "password": parts["password"]}
        secrets = self.client("secretsmanager")
        for reference, value in {"ops": ops, "crm": self.sales.secret()}.items():
            secrets.create_secret(Name=naming.secret(reference), SecretString=json.dumps(value))

    def variables(self, slice_id: str, endpoint: str) -> dict[str, str]:
        """What a function finds in its environment."""
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_CA_BUNDLE": str(self.stage.stack.ca_bundle),
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": self.stage.stack.region,
            "AWS_DEFAULT_REGION": self.stage.stack.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ATOLL_SLICE_ID": slice_id,
            "ATOLL_METADATA_TABLE": naming.METADATA_TABLE,
            "ATOLL_DATA_BUCKET": self.bucket,
            "ATOLL_ACCOUNT": self.account,
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "POWERTOOLS_METRICS_DISABLED": "true",
        }

    def close(self) -> None:
        self.sales.close()
        with self.stage.admin() as connection:
            connection.execute(_ENDED, (self.name,))
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")  # type: ignore[arg-type]


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
