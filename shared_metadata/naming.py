"""Names that two stacks, or a stack and a command, must agree on; used instead of CloudFormation exports, which deadlock upgrades."""

from __future__ import annotations

import re

PREFIX = "atoll"
KEY_ALIAS = f"alias/{PREFIX}"  # the key that encrypts everything of Atoll's
METADATA_TABLE = "atoll-metadata"
METADATA_STACK = "SharedMetadata"
NETWORK_STACK = "Network"
CONDUCTOR_STACK = "Conductor"
CONDUCTOR_FUNCTION = "atoll-conductor"
VERIFY = "atoll-verify"  # the function that verifies what is recorded, and its state machine
ALERTS_TOPIC = "atoll-alerts"
HISTORY = "history/"  # where in the data bucket the records of aged batches lie
REJECTED = "__rejected"  # the suffix of a table of rejected rows
LATE_DATASETS = "LateDatasets"  # the conductor's metric: how many datasets break their FRESH WITHIN


# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html, Name: up to 512 characters
SECRET_REFERENCE = re.compile(r"[A-Za-z0-9/_+=.@-]{1,500}")
SECRET_CHARACTERS = "use letters, digits and / _ + = . @ -"


def data_bucket(account: str, region: str) -> str:
    """The bucket that holds staged Parquet and Iceberg tables; bucket names are global, so account and region are in it."""
    return f"atoll-data-{account}-{region}"


def access_log_bucket(account: str, region: str) -> str:
    """The bucket that receives S3's access logs of the data bucket."""
    return f"atoll-access-logs-{account}-{region}"


def rejected_table(dataset: str, warehouse: str) -> str:
    """The table that keeps a dataset's rejected rows: 'lake.ops.flights' ▸ 'lake.ops.flights__rejected', and beside published data,
    'ops.public.scorecard:result' ▸ 'lake.ops.public_scorecard__rejected'.
    """
    if dataset.startswith(f"{warehouse}.") and ":" not in dataset:
        return dataset + REJECTED
    connection, _, table = dataset.split(":")[0].partition(".")
    return f"{warehouse}.{connection}.{table.replace('.', '_').lower()}{REJECTED}"


def state_machine(slice_id: str) -> str:
    """'collect.salesforce' ▸ 'atoll-collect-salesforce'."""
    return f"{PREFIX}-{slice_id.replace('.', '-')}"


def state_machine_arn(slice_id: str, account: str, region: str, partition: str = "aws") -> str:
    return f"arn:{partition}:states:{region}:{account}:stateMachine:{state_machine(slice_id)}"


def function(slice_id: str, step: str) -> str:
    """'collect.salesforce', 'plan' ▸ 'atoll-collect-salesforce-plan'."""
    return f"{state_machine(slice_id)}-{step}"


def task_logs(slice_id: str) -> str:
    """The log group of a slice's tasks of Fargate: 'collect.postgres' ▸ '/aws/ecs/atoll-collect-postgres'."""
    return f"/aws/ecs/{state_machine(slice_id)}"


def secret(reference: str) -> str:
    """The Secrets Manager name behind `secret = 'crm'` in a program. Raises ValueError for an invalid name.

    The name becomes part of a grant, in which * and ? would match other secrets too.
    """
    if not SECRET_REFERENCE.fullmatch(reference):
        raise ValueError(f"{reference!r} cannot be the name of a secret: {SECRET_CHARACTERS}")
    return f"{PREFIX}/{reference}"


def store_secret(reference: str) -> str:
    """What to do where the secret is not there, or holds what it should not: a whole remedy."""
    return f"store it: `atoll secret {reference} FILE`, of a FILE with a JSON object"


def parameter(*parts: str) -> str:
    """An SSM parameter's name, e.g. '/atoll/slices/collect.salesforce'."""
    return "/" + "/".join((PREFIX, *parts))


CONDUCTOR_PARAMETER = parameter("conductor", "stack")  # what its stack is named in CloudFormation
CONDUCTOR_SLICES = parameter("conductor", "slices")  # whose state machines it may start, by commas


def database(warehouse: str, schema: str) -> str:
    """The database of `warehouse.schema` in a catalog of databases and their tables."""
    return f"{warehouse}_{schema}"


def staging_prefix(slice_id: str) -> str:
    """Where a slice may write its staged files; its role is granted exactly this."""
    return f"staging/{slice_id}/"


ANSWERS, ANSWERS_DAYS = "answers/", 7


def answers_prefix(slice_id: str) -> str:
    """The place where an engine elsewhere puts the answers to a slice's questions: counts, which are read once."""
    return f"{ANSWERS}{slice_id}/"


def history_prefix(flow: str) -> str:
    """The prefix of a flow's aged batches: 'lake.crm:load' ▸ 'history/lake.crm/load/'."""
    return f"{HISTORY}{flow.replace(':', '/')}/"


INBOX, INBOX_DAYS = "inbox/", 30  # what others send to an endpoint of a slice's, and for how long it is kept


def inbox_prefix(slice_id: str, connection: str = "") -> str:
    """The place where a slice keeps what was sent to its endpoint: of all connections, or of one."""
    return f"{INBOX}{slice_id}/" + (f"{connection}/" if connection else "")


def journal_prefix(slice_id: str) -> str:
    """The place where a slice remembers what it has sent to applications, which keep no receipt; it stays."""
    return f"journal/{slice_id}/"


# Of each verification in the account a place of its own. Its notes are used for a day; what one leaves that was stopped goes then.
VERIFICATIONS, VERIFICATION_DAYS = "verification/", 3


REJECTED_DAYS = 400  # the rejected rows, with which the flow's next publication is compared


def rejected_prefix(slice_id: str) -> str:
    """The prefix under which a harness slice keeps rows that its target refuses and no warehouse holds."""
    return f"rejected/{slice_id}/"
