"""What each deployed role may do, tried with its own credentials against the embedded AWS, which enforces IAM.

Every probe is tried by every role and by the account's owner, and is allowed to one of them at least: what refuses a role is its
policy and not the probe. The quick suite probes one of each kind: secrets, objects, items, tables, machines; all grants are in
`tests/infra/grants.txt`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from shared_metadata import naming
from tests.e2e.test_airline import Deployed

pytestmark = [pytest.mark.xdist_group("airline"), pytest.mark.timeout(900), pytest.mark.budget(30), pytest.mark.security]
SLICES = ("collect.postgres", "collect.salesforce", "harness.postgres", "organize.iceberg")
KINDS = (
    "PROGRAM",
    "PROGRAM#x",
    "FLOW#x",
    "DATASET#x",
    "EVENT#x",
    "STATISTICS#x",
    "DRIFT",
    "SOURCE#x",
    "SLICES",
    "MAINTENANCE",
    "VERIFICATION",
)
REFUSED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException")
OWNER = "the owner"
PLANS = {f"{name}-plan" for name in SLICES}
COMMITS = {f"{name}-commit" for name in SLICES}
DISCOVERS = {f"{name}-discover" for name in SLICES[:3]}
COLLECT_PLANS = {"collect.postgres-plan", "collect.salesforce-plan"}
DATA = {f"organize.iceberg-{step}" for step in ("load", "refresh", "check", "commit")}
PUBLISHING = {"harness.postgres-diff", "harness.postgres-publish"}
LANDED = {"harness.postgres-landed", "organize.iceberg-landed"}
MAINTAIN = {"organize.iceberg-maintain"}
STEPS = PLANS | COMMITS | DATA | PUBLISHING | {"collect.postgres-extract", "collect.salesforce-extract"}
HARNESS_BESIDE = {"harness.postgres-discover", "harness.postgres-landed"}
OPENING = ("plan", "extract", "discover")
Call = Callable[["Caller"], Any]


class Clients(dict[str, Any]):
    """One for each service: they are dear to make, and there are thirty who call."""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._session = session

    def __missing__(self, service: str) -> Any:
        self[service] = made = self._session.client(service, config=Config(retries={"max_attempts": 0}))
        return made


@dataclass
class Caller:
    """Clients that sign with the credentials of one role, until another caller's are asked for."""

    clients: Clients
    credentials: Credentials

    def __getattr__(self, service: str) -> Any:
        found = self.clients[service]
        found._request_signer._credentials = self.credentials
        return found


class Account:
    """The deployed roles, and what they may be kept from."""

    def __init__(self, airline: Deployed) -> None:
        stack = airline.demo.stack
        self.number, self.region, self.session = stack.account, stack.region, stack.session()
        self.bucket = naming.data_bucket(stack.account, stack.region)
        self._clients = Clients(self.session)
        self.callers = {OWNER: Caller(self._clients, self.session.get_credentials())}
        self.callers |= {name: self._assume(arn) for name, arn in self._roles()}
        self._plant()

    def _roles(self) -> Iterator[tuple[str, str]]:
        """'collect.postgres-plan' ▸ the ARN of its role, and so for each function and each state machine ('collect.postgres')."""
        for page in self.session.client("lambda").get_paginator("list_functions").paginate():
            yield from ((_short(f["FunctionName"]), f["Role"]) for f in page["Functions"])
        states = self.session.client("stepfunctions")
        for slice_id in SLICES:
            arn = naming.state_machine_arn(slice_id, self.number, self.region)
            yield slice_id, states.describe_state_machine(stateMachineArn=arn)["roleArn"]

    def _assume(self, arn: str) -> Caller:
        """The emulator lets the account's owner take a role that only a service may take in AWS, unless under a condition."""
        given = self.session.client("sts").assume_role(RoleArn=arn, RoleSessionName="probe")["Credentials"]
        return Caller(self._clients, Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))

    def _plant(self) -> None:
        s3, secrets, dynamodb = (self.session.client(name) for name in ("s3", "secretsmanager", "dynamodb"))
        for key in (
            *map(staged, SLICES),
            refused("harness.postgres"),
            *(f"warehouse/{name}probe" for name in ("lake/", "lake/ops/x/metadata/", "other/")),
            "probe",
        ):
            s3.put_object(Bucket=self.bucket, Key=key, Body=b"probe")
        for name in ("atoll/other", "other"):
            secrets.create_secret(Name=name, SecretString="{}")
        key = {"AttributeName": "pk", "AttributeType": "S"}
        schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
        dynamodb.create_table(TableName="other", KeySchema=schema, AttributeDefinitions=[key], BillingMode="PAY_PER_REQUEST")
        s3.create_bucket(Bucket="other")
        s3.put_object(Bucket="other", Key="probe", Body=b"probe")

    def allowed(self, call: Call) -> set[str]:
        """Who is not refused."""
        return {name for name, caller in self.callers.items() if _allowed(call, caller)}


def staged(slice_id: str) -> str:
    return f"{naming.staging_prefix(slice_id)}probe"


def refused(slice_id: str) -> str:
    return f"{naming.rejected_prefix(slice_id)}probe"


def _short(function: str) -> str:
    """'atoll-collect-postgres-plan' ▸ 'collect.postgres-plan'."""
    return function.removeprefix("atoll-").replace("-", ".", 1) if function.count("-") > 1 else function.removeprefix("atoll-")


def _allowed(call: Call, caller: Caller) -> bool:
    try:
        call(caller)
    except ClientError as error:
        return error.response["Error"]["Code"] not in REFUSED
    return True


@pytest.fixture(scope="module")
def account(airline: Deployed) -> Account:
    """Its clock stands still: no batch is needed any more."""
    clock = airline.demo.target.session.client("scheduler")
    found = clock.get_schedule(Name=f"{naming.PREFIX}-clock")
    same = {name: found[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    clock.update_schedule(**same, State="DISABLED")
    return Account(airline)


def item(key: str, table: str = naming.METADATA_TABLE) -> dict[str, Any]:
    return {"TableName": table, "Key": {"pk": {"S": key}, "sk": {"S": "probe"}}}


def condition() -> dict[str, str]:
    """Never holds for an item that is not there, so that nothing is written."""
    return {"ConditionExpression": "attribute_exists(pk)"}


def put(key: str) -> Call:
    return lambda c: c.dynamodb.put_item(TableName=naming.METADATA_TABLE, Item=item(key)["Key"], **condition())


def update(key: str) -> Call:
    sets = {"UpdateExpression": "SET probe = :p", "ExpressionAttributeValues": {":p": {"S": ""}}}
    return lambda c: c.dynamodb.update_item(**item(key), **sets, **condition())


def read_kinds(call: Callable[[str], Call], account: Account) -> dict[str, set[str]]:
    return {kind: account.allowed(call(kind)) - {OWNER} for kind in KINDS}


def test_the_roles_are_those_of_all_functions_and_machines(account: Account) -> None:
    assert set(account.callers) == {OWNER, "conductor", "verify", *SLICES, *STEPS, *DISCOVERS, *LANDED, *MAINTAIN}
    for name, caller in account.callers.items():
        role = "" if name == OWNER else "assumed-role/"
        assert role in caller.sts.get_caller_identity()["Arn"]


@pytest.mark.parametrize(
    ("secret", "readers"),
    [
        ("atoll/ops", {f"collect.postgres-{step}" for step in OPENING} | PUBLISHING | HARNESS_BESIDE),
        ("atoll/crm", {f"collect.salesforce-{step}" for step in OPENING}),
        ("atoll/other", set()),
        ("other", set()),
    ],
)
def test_a_secret_is_read_by_those_who_open_its_connection(account: Account, secret: str, readers: set[str]) -> None:
    assert account.allowed(lambda c: c.secretsmanager.get_secret_value(SecretId=secret)) == {OWNER} | readers


@pytest.mark.deep
def test_nobody_lists_writes_or_deletes_secrets(account: Account) -> None:
    assert account.allowed(lambda c: c.secretsmanager.list_secrets()) == {OWNER}
    secret = {"SecretId": "atoll/other"}
    assert account.allowed(lambda c: c.secretsmanager.put_secret_value(**secret, SecretString="{}")) == {OWNER}
    assert account.allowed(lambda c: c.secretsmanager.delete_secret(**secret, ForceDeleteWithoutRecovery=True)) == {OWNER}


COLLECTS = {name: {f"{name}-{step}" for step in ("plan", "extract", "commit")} for name in SLICES[:2]}
WRITERS = {**COLLECTS, "harness.postgres": PUBLISHING, "organize.iceberg": DATA}


@pytest.mark.parametrize("slice_id", SLICES)
def test_a_staging_prefix_is_written_by_its_slice_and_read_by_the_stage_after_it(account: Account, slice_id: str) -> None:
    readers = {"collect": DATA | MAINTAIN, "organize": PUBLISHING, "harness": set[str]()}[slice_id.split(".")[0]]
    place = {"Bucket": account.bucket, "Key": staged(slice_id)}
    assert account.allowed(lambda c: c.s3.get_object(**place)) == {OWNER} | WRITERS[slice_id] | readers
    assert account.allowed(lambda c: c.s3.put_object(**place, Body=b"probe")) == {OWNER} | WRITERS[slice_id]


@pytest.mark.deep
def test_rows_that_a_target_refused_are_kept_by_publish_and_read_by_the_next_comparison(account: Account) -> None:
    place = {"Bucket": account.bucket, "Key": refused("harness.postgres")}
    assert account.allowed(lambda c: c.s3.get_object(**place)) == {OWNER} | PUBLISHING
    assert account.allowed(lambda c: c.s3.put_object(**place, Body=b"probe")) == {OWNER, "harness.postgres-publish"}
    assert account.allowed(lambda c: c.s3.delete_object(**place)) == {OWNER}


@pytest.mark.deep
def test_the_lake_is_written_by_its_slice_and_its_files_are_deleted_by_commit_and_maintenance(account: Account) -> None:
    place = {"Bucket": account.bucket, "Key": "warehouse/lake/probe"}
    assert account.allowed(lambda c: c.s3.get_object(**place)) == {OWNER} | DATA | MAINTAIN
    assert account.allowed(lambda c: c.s3.put_object(**place, Body=b"probe")) == {OWNER} | DATA | MAINTAIN
    assert account.allowed(lambda c: c.s3.delete_object(**place)) == {OWNER, "organize.iceberg-commit"} | MAINTAIN
    snapshots = {"Bucket": account.bucket, "Key": "warehouse/lake/ops/x/metadata/probe"}
    assert account.allowed(lambda c: c.s3.get_object(**snapshots)) == {OWNER, "organize.iceberg-landed"} | DATA | MAINTAIN


@pytest.mark.deep
@pytest.mark.parametrize("key", ["warehouse/other/probe", "probe"])
def test_nobody_reaches_other_objects_of_the_data_bucket(account: Account, key: str) -> None:
    place = {"Bucket": account.bucket, "Key": key}
    assert account.allowed(lambda c: c.s3.get_object(**place)) == {OWNER}
    assert account.allowed(lambda c: c.s3.put_object(**place, Body=b"probe")) == {OWNER}


@pytest.mark.deep
@pytest.mark.parametrize("slice_id", SLICES)
def test_what_is_staged_is_deleted_by_maintenance(account: Account, slice_id: str) -> None:
    cleaners = set[str]() if slice_id == "harness.postgres" else MAINTAIN
    place = {"Bucket": account.bucket, "Key": staged(slice_id)}
    assert account.allowed(lambda c: c.s3.delete_object(**place)) == {OWNER} | cleaners


@pytest.mark.deep
def test_nobody_deletes_old_versions_or_buckets(account: Account) -> None:
    assert account.allowed(lambda c: c.s3.list_object_versions(Bucket=account.bucket, Prefix="warehouse/")) == {OWNER}
    assert account.allowed(lambda c: c.s3.get_object(Bucket="other", Key="probe")) == {OWNER}
    assert account.allowed(lambda c: c.s3.delete_bucket(Bucket="not-there")) == {OWNER}


@pytest.mark.deep
def test_metadata_is_read_by_kind(account: Account) -> None:
    assert read_kinds(lambda kind: lambda c: c.dynamodb.get_item(**item(kind)), account) == {
        "PROGRAM": PLANS | MAINTAIN | {"conductor", "verify"},
        "PROGRAM#x": STEPS | MAINTAIN | {"conductor", "verify"},
        "FLOW#x": PLANS | COMMITS | MAINTAIN | {"conductor", "verify"},
        "DATASET#x": PLANS | COMMITS | MAINTAIN | {"verify"},
        "EVENT#x": {"conductor", "verify"},
        "STATISTICS#x": set(),
        "DRIFT": COLLECT_PLANS | {"conductor", "verify"},
        "SOURCE#x": set(),
        "SLICES": set(),
        "MAINTENANCE": MAINTAIN,
        "VERIFICATION": set(),
    }


def test_metadata_is_put_by_kind(account: Account) -> None:
    assert read_kinds(put, account) == {
        "PROGRAM": set(),
        "PROGRAM#x": set(),
        "FLOW#x": PLANS,
        "DATASET#x": PLANS | COMMITS,
        "EVENT#x": PLANS | COMMITS | {"conductor"},
        "STATISTICS#x": COMMITS,
        "DRIFT": COLLECT_PLANS,
        "SOURCE#x": DISCOVERS,
        "SLICES": set(),
        "MAINTENANCE": MAINTAIN,
        "VERIFICATION": {"verify"},
    }


@pytest.mark.deep
def test_metadata_is_updated_by_kind(account: Account) -> None:
    assert read_kinds(update, account) == {
        "PROGRAM": set(),
        "PROGRAM#x": set(),
        "FLOW#x": STEPS | MAINTAIN | {"conductor"},
        "DATASET#x": PLANS | COMMITS | MAINTAIN,
        "EVENT#x": {"conductor"},
        "STATISTICS#x": set(),
        "DRIFT": COLLECT_PLANS | {"conductor"},
        "SOURCE#x": set(),
        "SLICES": set(),
        "MAINTENANCE": set(),
        "VERIFICATION": set(),
    }


@pytest.mark.deep
def test_what_ages_is_deleted_by_maintenance_and_nothing_else_by_anybody(account: Account) -> None:
    ageing = {"FLOW#x": MAINTAIN, "DATASET#x": MAINTAIN}
    for kind in KINDS:
        deleters = {OWNER} | ageing.get(kind, set[str]())
        assert account.allowed(lambda c, kind=kind: c.dynamodb.delete_item(**item(kind), **condition())) == deleters
    delete = {"Delete": {**item("FLOW#x"), **condition()}}
    assert account.allowed(lambda c: c.dynamodb.transact_write_items(TransactItems=[delete])) == {OWNER} | MAINTAIN


@pytest.mark.deep
def test_records_of_batches_that_have_aged_are_written_by_maintenance_and_deleted_by_nobody(account: Account) -> None:
    place = {"Bucket": account.bucket, "Key": f"{naming.HISTORY}lake.ops/probe"}
    assert account.allowed(lambda c: c.s3.put_object(**place, Body=b"probe")) == {OWNER} | MAINTAIN
    assert account.allowed(lambda c: c.s3.get_object(**place)) == {OWNER}
    assert account.allowed(lambda c: c.s3.delete_object(**place)) == {OWNER}


@pytest.mark.deep
def test_nobody_scans_or_changes_the_metadata_table(account: Account) -> None:
    assert account.allowed(lambda c: c.dynamodb.scan(TableName=naming.METADATA_TABLE, Limit=1)) == {OWNER}
    assert account.allowed(lambda c: c.dynamodb.update_table(TableName=naming.METADATA_TABLE, DeletionProtectionEnabled=True)) == {
        OWNER
    }


def test_nobody_reaches_another_table(account: Account) -> None:
    key = {"TableName": "other", "Key": {"pk": {"S": "PROGRAM"}}}
    assert account.allowed(lambda c: c.dynamodb.get_item(**key)) == {OWNER}
    assert account.allowed(lambda c: c.dynamodb.put_item(TableName="other", Item=key["Key"])) == {OWNER}
    assert account.allowed(lambda c: c.dynamodb.delete_table(TableName="not-there")) == {OWNER}


@pytest.mark.deep
def test_the_catalog_is_read_by_the_warehouse_s_steps_and_written_by_commit_and_maintenance(account: Account) -> None:
    writers = {"organize.iceberg-commit"} | MAINTAIN
    table = {"DatabaseName": "lake_ops", "Name": "not_there"}
    assert account.allowed(lambda c: c.glue.get_table(**table)) == {OWNER, "organize.iceberg-landed"} | DATA | MAINTAIN
    assert (
        account.allowed(lambda c: c.glue.update_table(DatabaseName="lake_ops", TableInput={"Name": "not_there"})) == {OWNER} | writers
    )
    assert account.allowed(lambda c: c.glue.get_table(DatabaseName="other", Name="not_there")) == {OWNER}
    assert account.allowed(lambda c: c.glue.delete_table(**table)) == {OWNER}


@pytest.mark.deep
def test_the_conductor_reaches_no_data_and_no_secret(account: Account) -> None:
    conductor = account.callers["conductor"]
    keys = [found["Key"] for found in account.session.client("s3").list_objects_v2(Bucket=account.bucket)["Contents"]]
    calls: list[Call] = [lambda c, key=key: c.s3.get_object(Bucket=account.bucket, Key=key) for key in keys]
    calls += [lambda c: c.s3.list_objects_v2(Bucket=account.bucket), lambda c: c.glue.get_databases()]
    assert len(calls) > 50 and not [call for call in calls if _allowed(call, conductor)]
    assert _allowed(lambda c: c.dynamodb.get_item(**item("PROGRAM")), conductor)


def test_a_verification_reaches_its_own_notes_only_and_calls_only_those_who_tell_what_has_landed(account: Account) -> None:
    verify, place = account.callers["verify"], {"Bucket": account.bucket, "Key": f"{naming.VERIFICATIONS}notes"}
    assert account.allowed(lambda c: c.s3.get_object(**place)) == {OWNER, "verify"}
    keys = [found["Key"] for found in account.session.client("s3").list_objects_v2(Bucket=account.bucket)["Contents"]]
    assert not [key for key in keys if _allowed(lambda c, key=key: c.s3.get_object(Bucket=account.bucket, Key=key), verify)]
    called = {
        name
        for name in account.callers
        if "-" in name
        and _allowed(
            lambda c, name=name: c.__getattr__("lambda").invoke(
                FunctionName=f"atoll-{name.replace('.', '-')}", InvocationType="DryRun"
            ),
            verify,
        )
    }
    assert called == LANDED


def refused_input(slice_id: str, account: Account) -> Mapping[str, str]:
    return {"stateMachineArn": naming.state_machine_arn(slice_id, account.number, account.region), "input": json.dumps({"probe": 1})}


@pytest.mark.parametrize("slice_id", SLICES)
def test_a_machine_is_started_by_itself_and_by_the_conductor(account: Account, slice_id: str) -> None:
    starters = {OWNER, "conductor", slice_id}
    assert account.allowed(lambda c: c.stepfunctions.start_execution(**refused_input(slice_id, account))) == starters


@pytest.mark.deep
@pytest.mark.parametrize(("function", "callers"), [("conductor", set()), *((f"{name}-plan", {name}) for name in SLICES)])
def test_a_function_is_invoked_by_its_own_machine(account: Account, function: str, callers: set[str]) -> None:
    name = f"atoll-{function.replace('.', '-')}"
    assert account.allowed(lambda c: c.__getattr__("lambda").invoke(FunctionName=name, InvocationType="DryRun")) == {OWNER} | callers


@pytest.mark.deep
def test_only_the_conductor_sends_alerts_and_dead_letters(account: Account) -> None:
    topic = f"arn:aws:sns:{account.region}:{account.number}:{naming.ALERTS_TOPIC}"
    queue = account.session.client("sqs").get_queue_url(QueueName="atoll-conductor-dead-letters")["QueueUrl"]
    assert account.allowed(lambda c: c.sns.publish(TopicArn=topic, Message="probe")) == {OWNER, "conductor"}
    assert account.allowed(lambda c: c.sqs.send_message(QueueUrl=queue, MessageBody="probe")) == {OWNER, "conductor"}
    assert account.allowed(lambda c: c.sqs.receive_message(QueueUrl=queue)) == {OWNER}


@pytest.mark.deep
def test_nobody_uses_the_key_directly_or_changes_who_may_do_what(account: Account) -> None:
    assert account.allowed(lambda c: c.kms.encrypt(KeyId="alias/atoll", Plaintext=b"probe")) == {OWNER}
    assert account.allowed(lambda c: c.kms.generate_data_key(KeyId="alias/atoll", KeySpec="AES_256")) == {OWNER}
    assert account.allowed(lambda c: c.iam.list_roles()) == {OWNER}
    assert account.allowed(lambda c: c.iam.create_user(UserName="probe")) == {OWNER}
    assert account.allowed(lambda c: c.__getattr__("lambda").list_functions()) == {OWNER}
    assert account.allowed(lambda c: c.logs.describe_log_groups()) == {OWNER, *SLICES}
    assert account.allowed(lambda c: c.ssm.get_parameter(Name="/atoll/metadata/key-arn")) == {OWNER}
