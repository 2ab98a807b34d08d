"""Who may do what: every grant of every role stands in `grants.txt`, which is reviewed when it changes."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared_metadata import naming
from slices.registry import installed
from tests.infra.looked_at import looked_at

pytestmark = pytest.mark.xdist_group("synth")
REVIEWED = Path(__file__).with_name("grants.txt")
CONDUCTOR_STARTS = ("Conductor FunctionRole", "states:StartExecution")
VERIFIES = ("Conductor VerificationFunctionRole", "lambda:InvokeFunction")
OF_A_STATEMENT = ("DescribeStatement", "GetStatementResult", "CancelStatement")
# Steps that write more than the lease of their table, or no metadata at all.
BESIDE_THE_LEASE = ("plan", "commit", "discover", "maintain", "landed", "receive")
OF_ROLES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")  # the latter has what is too much for a role's own
MANAGED = {"Description", "Path", "PolicyDocument", "Roles"}
NO_RESOURCE = (
    "logs:",
    "xray:",
    "ec2:",
    "dynamodb:ListStreams",
    *(f"redshift-data:{name}" for name in OF_A_STATEMENT),
)  # services whose actions here take no resource


def statements(templates: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """'stack role' and each statement of its policies."""
    for stack, template in templates.items():
        for resource in template["Resources"].values():
            if resource["Type"] in OF_ROLES:
                (role,) = resource["Properties"]["Roles"]
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    yield f"{stack} {role['Ref'][:-8]}", statement


PUBLISHED = ":table/prod-carriers"
SHELF = ":::acme-shelf/"
POLICIES = ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")


def of_resources(templates: Any) -> set[str]:
    """One line for each statement of a policy that stands at a resource: whom it lets or keeps out, from what."""
    found = set()
    for stack, template in templates.items():
        for name, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            document = properties.get("KeyPolicy") or (properties["PolicyDocument"] if resource["Type"] in POLICIES else None)
            for statement in document["Statement"] if document else ():
                who, actions = json.dumps(statement["Principal"], sort_keys=True), " ".join(sorted(as_list(statement["Action"])))
                found.add(f"{stack} {name[:-8]} | {statement['Effect']} {who}{condition(statement)} | {actions}")
            if resource["Type"] == "AWS::Lambda::Permission":
                source = text(properties["SourceArn"])  # whoever has none may be called by everybody's
                found.add(f"{stack} {name[:-8]} | Allow {properties['Principal']} if it is {source} | {properties['Action']}")
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    if isinstance(value, str):
        return re.sub(r"[0-9a-f]{64}", "<digest>", value)  # of a file that is deployed with a stack
    ((kind, content),) = value.items()
    if kind == "Fn::Join":
        return content[0].join(map(text, content[1]))
    if kind == "Fn::GetAtt":
        return f"<{content[0][:-8]}>"
    return {"AWS::Partition": "aws"}.get(content, f"<{content.split('C96584B6')[0]}>")


def condition(statement: dict[str, Any]) -> str:
    """' if key like any of …', e.g. ' if dynamodb:LeadingKeys ~ FLOW#* PROGRAM#*'."""
    found = [
        f"{key} {'~' if operator.endswith('Like') else '='} {' '.join(sorted(map(text, as_list(values))))}"
        for operator, tested in statement.get("Condition", {}).items()
        for key, values in tested.items()
    ]
    return f" if {' and '.join(found)}" if found else ""


def pairs(templates: Any) -> set[tuple[str, str, str]]:
    """'stack role', action, resource with the condition under which it is granted."""
    return {
        (who, action, text(resource) + condition(statement))
        for who, statement in statements(templates)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def grants(templates: Any, vpc_templates: Any) -> list[str]:
    """One line for each role and resource: what it may do there; then the same of what a VPC adds, and what stands at resources."""
    lines = _grants(templates)
    added = sorted(set(_grants(vpc_templates)) - set(lines))
    more = sorted(of_resources(templates) | of_resources(vpc_templates))
    return [*lines, *(f"in a VPC: {line}" for line in added), *(f"at a resource: {line}" for line in more)]


def _grants(templates: Any) -> list[str]:
    actions: dict[tuple[str, str], set[str]] = {}
    for who, action, resource in pairs(templates):
        actions.setdefault((who, resource), set()).add(action)
    return [f"{who} | {resource} | {' '.join(sorted(found))}" for (who, resource), found in sorted(actions.items())]


def test_every_grant_was_reviewed(templates, vpc_templates):
    """After a review: REVIEWED=1 pytest tests/infra/test_grants.py writes the list again."""
    found = grants(templates, vpc_templates)
    if os.environ.get("REVIEWED"):
        REVIEWED.write_text("\n".join(found) + "\n")
    assert found == REVIEWED.read_text().splitlines()


def test_roles_have_no_policies_but_those_that_are_read_here(templates, vpc_templates):
    for found in (templates, vpc_templates):
        for stack, template in found.items():
            for name, resource in template["Resources"].items():
                properties = resource.get("Properties", {})
                assert not {"Policies", "ManagedPolicyArns", "PermissionsBoundary"} & set(properties), f"{stack} {name}"
                assert resource["Type"] not in ("AWS::IAM::User", "AWS::IAM::Group")
                assert resource["Type"] != "AWS::IAM::ManagedPolicy" or {*properties} == MANAGED, f"{stack} {name}"


def test_no_action_is_a_wildcard(templates, vpc_templates):
    for who, statement in [*statements(templates), *statements(vpc_templates)]:
        assert not [a for a in as_list(statement["Action"]) if "*" in a], who


def test_only_actions_that_take_no_resource_are_granted_on_all(templates, vpc_templates):
    for who, statement in [*statements(templates), *statements(vpc_templates)]:
        if "*" in as_list(statement["Resource"]):
            strange = [a for a in as_list(statement["Action"]) if not a.startswith(NO_RESOURCE)]
            assert not strange, who


def test_a_statement_of_redshift_s_is_asked_for_by_whoever_submitted_it_alone(templates):
    of_statements = [one for one in pairs(templates) if one[1].removeprefix("redshift-data:") in OF_A_STATEMENT]
    assert of_statements
    for who, _, resource in of_statements:
        assert resource == "* if redshift-data:statement-owner-iam-userid = ${aws:userid}", who


def test_a_cluster_s_credentials_are_had_by_the_functions_that_ask_it_and_of_one_user_and_database(templates):
    where = "arn:aws:redshift:eu-central-1:111122223333:"
    got, asked = set(), set()
    for who, action, resource in pairs(templates):
        if action == "redshift:GetClusterCredentials":
            got.add((who, resource))
        elif action == "redshift-data:BatchExecuteStatement" and resource == f"{where}cluster:analytics":
            asked.add(who)
    assert asked and got == {(who, f"{where}{of}") for who in asked for of in ("dbuser:analytics/atoll", "dbname:analytics/reports")}


def test_nothing_is_denied_or_excepted(templates, vpc_templates):
    for who, statement in [*statements(templates), *statements(vpc_templates)]:
        assert set(statement) - {"Condition"} == {"Action", "Effect", "Resource"} and statement["Effect"] == "Allow", who


def test_every_condition_is_one_that_narrows(templates):
    """A set operator holds for a key that a request does not have: only DynamoDB's, which has it in every call that is granted.

    A pattern is for the prefixes below which objects are listed, and names one.
    """
    for who, statement in statements(templates):
        for operator, tested in statement.get("Condition", {}).items():
            once = ({"kms:ViaService"}, {"iam:PassedToService"}, {"redshift-data:statement-owner-iam-userid"})
            like = ({"s3:prefix"},)  # a list of objects is asked for below a prefix
            wanted = {"ForAllValues:StringLike": ({"dynamodb:LeadingKeys"},), "StringEquals": once, "StringLike": like}
            assert set(tested) in wanted[operator], who
            assert operator != "StringLike" or all(len(text) > 1 for text in as_list(tested["s3:prefix"])), who


def of_metadata(templates: Any) -> set[tuple[str, str, str]]:
    """The pairs but for those over the tables to which the program publishes."""
    return {pair for pair in pairs(templates) if not pair[2].endswith(PUBLISHED)}


def test_all_access_to_metadata_is_to_kinds_of_items(templates):
    """By no index and by no scan, for which there are no leading keys."""
    for who, action, resource in of_metadata(templates):
        if action.startswith("dynamodb:") and "Stream" not in action and "stream" not in resource.lower():
            assert " if dynamodb:LeadingKeys ~ " in resource and "table/atoll-metadata " in resource, who
            assert action.split(":")[1] in ("BatchGetItem", "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"), who


def written(templates: Any) -> dict[str, set[str]]:
    """'stack role' ▸ the kinds of items that it updates or puts."""
    found: dict[str, set[str]] = {}
    for who, action, resource in of_metadata(templates):
        if action in ("dynamodb:UpdateItem", "dynamodb:PutItem"):
            found.setdefault(who, set()).update(resource.split(" ~ ")[1].split())
    return found


def test_no_function_writes_programs_the_timeline_or_which_slices_are_installed(templates):
    assert not [who for who, kinds in written(templates).items() for kind in kinds if kind.startswith(("PROGRAM", "SLICES", "*"))]


def test_steps_between_plan_and_commit_write_the_lease_and_nothing_else(templates):
    steps = {
        who: kinds
        for who, kinds in written(templates).items()
        if not who.split()[1].startswith(("Plan", "Commit", "Discover", "Maintain"))
    }
    steps.pop("Conductor FunctionRole")
    assert steps.pop("Conductor VerificationFunctionRole") == {"VERIFICATION"}
    writing = [step for declared in looked_at().values() for step in declared.steps if step not in BESIDE_THE_LEASE]
    assert len(steps) == len(writing)
    for rotating in ("CollectSalesforceSlice ExtractRole", "HarnessSalesforceSlice PublishRole"):
        assert steps.pop(rotating) == {"FLOW#*", "GRANT#*"}
    assert set(map(tuple, steps.values())) == {("FLOW#*",)}


def test_discover_writes_what_sources_are_like_and_the_lease_of_a_grant_that_rotates(templates):
    found = {who.split()[0]: kinds for who, kinds in written(templates).items() if "DiscoverRole" in who}
    rotating = {"CollectSalesforceSlice", "HarnessSalesforceSlice"}
    assert [found.pop(stack) for stack in rotating] == [{"SOURCE#*", "GRANT#*"}] * 2
    discovering = {declared.stack_name for declared in looked_at().values() if "discover" in declared.steps}
    assert found == {key: {"SOURCE#*"} for key in discovering - rotating}


def test_only_the_secret_of_a_grant_that_rotates_is_written_and_only_by_who_opens_its_connection(templates):
    puts = [(who, resource) for who, action, resource in pairs(templates) if action == "secretsmanager:PutSecretValue"]
    roles = {f"CollectSalesforceSlice {step}Role" for step in ("Plan", "Extract", "Discover")}
    roles |= {f"HarnessSalesforceSlice {step}Role" for step in ("Publish", "Discover")}
    assert {(who, resource.split("secret:")[1]) for who, resource in puts} == {(who, "atoll/crm-??????") for who in roles}


def test_a_key_is_used_by_services_only(templates):
    """No role can encrypt or decrypt anything itself."""
    used = [resource for _, action, resource in pairs(templates) if action.startswith("kms:")]
    assert used and all(" if kms:ViaService = " in resource for resource in used)


def test_only_maintenance_deletes_records_and_those_of_batches_and_versions_only(templates):
    records = [(who, action, of.split(" ~ ")[1]) for who, action, of in of_metadata(templates) if ":dynamodb:" in of]
    maintaining = [f"{declared.stack_name} MaintainRole" for declared in installed().values() if declared.capabilities.maintains]
    ageing = "DATASET#* FLOW#*"
    deletes = [(who, kinds) for who, action, kinds in records if action == "dynamodb:DeleteItem"]
    assert sorted(deletes) == sorted((who, ageing) for who in maintaining)
    for maintain in maintaining:
        puts = {kinds for who, action, kinds in records if who == maintain and action == "dynamodb:PutItem"}
        assert puts == {"MAINTENANCE"} and written(templates)[maintain] == {"MAINTENANCE", *ageing.split()}


def test_only_maintenance_writes_what_has_aged_and_nobody_deletes_it(templates):
    found = {(who.split()[1], action) for who, action, resource in pairs(templates) if "/history/" in resource}
    assert found == {("MaintainRole", "s3:PutObject")}


def test_only_maintenance_deletes_what_was_staged(templates):
    deleting = {
        (who.split()[1], resource.split("/", 1)[1]) for who, action, resource in pairs(templates) if action == "s3:DeleteObject"
    }
    staging = {("MaintainRole", f"staging/{name}/*") for name in looked_at() if name.split(".")[0] in ("collect", "organize")}
    assert deleting == {
        ("CommitRole", "warehouse/lake/*"),
        ("MaintainRole", "warehouse/lake/*"),
        ("VerificationFunctionRole", "verification/*"),
        ("PublishRole", "out/*"),  # files of results in whose place others are, in a bucket of the program's
        ("Storagebricks", "staging/organize.databricks/*"),  # a result that is written again takes the place of the former one
        *staging,
    }


def test_state_machines_call_no_function_that_stands_beside_the_batches(templates):
    machines = [r for who, a, r in pairs(templates) if a == "lambda:InvokeFunction" and who.endswith("MachineRole")]
    assert machines and not [name for name in machines if any(word in name for word in ("Discover", "Maintain", "Landed"))]


def test_landed_reads_what_tables_say_of_themselves_or_a_secret_and_neither_rows_nor_metadata(templates):
    found = {(action, resource) for who, action, resource in pairs(templates) if "LandedRole" in who}
    assert {action for action, _ in found if not action.startswith(("logs:", "xray:", "kms:"))} == {
        "glue:GetDatabase",
        "glue:GetTable",
        "s3:GetObject",
        "s3:ListBucket",
        "secretsmanager:GetSecretValue",
        "redshift:GetClusterCredentials",
        *(f"redshift-data:{name}" for name in ("ExecuteStatement", "BatchExecuteStatement", *OF_A_STATEMENT)),
    }
    # What stands for an application's receipts.
    journals = [f"/journal/{name}/*" for name, declared in installed().items() if not declared.capabilities.transactional]
    told = ("/metadata/*", *journals, ":acme-shelf/out/*")  # the first of tables, the last of manifests
    assert all(resource.endswith(told) for action, resource in found if action == "s3:GetObject")


def test_a_slice_reads_the_secrets_of_its_own_connections_only(templates, program):
    read: dict[str, set[str]] = {}
    for who, action, resource in pairs(templates):
        if action.startswith("secretsmanager"):
            read.setdefault(who.split()[0], set()).add(resource.split("secret:")[1])
    of: dict[str, set[str]] = {}
    for flow in program.flows.values():
        for secret in (flow.mask_key, program.connections[flow.connection].options.get("secret")) if flow.connection else ():
            if secret:
                of.setdefault(installed()[flow.slice_id].stack_name, set()).add(f"atoll/{secret}-??????")
    administers = "redshift!atoll-organize-redshift-dwh-atoll-??????"  # what its stack makes
    of["OrganizeRedshiftSlice"] = {administers, "atoll/redshift-??????"}
    of["OrganizeSnowflakeSlice"], of["OrganizeDatabricksSlice"] = {"atoll/snowflake-??????"}, {"atoll/databricks-??????"}
    assert read == of and {"atoll/mask-??????", "atoll/ops-??????"} == of["CollectPostgresSlice"]


@pytest.mark.security
def test_who_publishes_to_tables_or_in_another_account_reaches_what_the_program_names_and_nothing_else(templates):
    found = {(who.split()[1], action) for who, action, resource in pairs(templates) if resource.endswith(PUBLISHED)}
    steps = ("DiffRole", "PublishRole", "DiscoverRole")
    writes = {("PublishRole", f"dynamodb:{action}") for action in ("PutItem", "DeleteItem")}
    assert found == writes | {(step, "dynamodb:DescribeTable") for step in steps}
    assumed = {(who, to) for who, action, to in pairs(templates) if action == "sts:AssumeRole" and who.startswith("Harness")}
    role = "arn:aws:iam::210987654321:role/atoll-writes"
    assert assumed == {(f"HarnessDynamoDBSlice {step}", role) for step in steps}
    files = {(who, action, to) for who, action, to in pairs(templates) if SHELF in to and action != "s3:GetObject"}
    changes = ("s3:PutObject", "s3:DeleteObject")
    assert files == {("HarnessS3Slice PublishRole", action, "arn:aws:s3:::acme-shelf/out/*") for action in changes}


@pytest.mark.security
def test_who_receives_puts_what_was_sent_and_reads_the_senders_keys_and_nothing_else(templates):
    found = {(action, resource) for who, action, resource in pairs(templates) if who == "CollectHttpSlice ReceiveRole"}
    assert {pair for pair in found if not pair[0].startswith(("logs:", "xray:", "kms:"))} == {
        ("s3:PutObject", f"arn:aws:s3:::{naming.data_bucket('111122223333', 'eu-central-1')}/inbox/collect.http/*"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:atoll/senders-??????"),
    }
    assert {who for who, _, resource in pairs(templates) if "atoll/senders" in resource} == {"CollectHttpSlice ReceiveRole"}


def test_a_mask_key_is_read_by_the_step_that_hashes_and_by_no_other(templates):
    assert {who for who, _, resource in pairs(templates) if "atoll/mask" in resource} == {"CollectPostgresSlice ExtractRole"}


def test_a_slice_writes_below_its_own_prefixes_only(templates):
    written: dict[str, set[str]] = {}
    for who, action, resource in pairs(templates):
        if action == "s3:PutObject" and SHELF not in resource:
            written.setdefault(who.split()[0], set()).add(resource.split("/", 1)[1])
    of_stage = {"collect": (), "harness": ("rejected/{}/*",), "organize": ("history/*",)}  # the last: maintenance

    def own(name, declared):
        lake = declared.works_in == "iceberg"
        kept = (*(("warehouse/lake/*",) if lake else ()), *(("answers/{}/*",) if lake and declared.waits and declared.engine else ()))
        received = ("inbox/{}/*",) if "receive" in declared.steps else ()
        sent = () if declared.capabilities.transactional else ("journal/{}/*",)
        more = (*of_stage[declared.stage], *kept, *received, *sent)
        return {f"staging/{name}/*", *(prefix.format(name) for prefix in more)}

    for prefixes in written.values():  # a warehouse's own part of a slice's prefix is granted with it
        prefixes -= {one for one in prefixes if any(one != wide and one.startswith(wide[:-1]) for wide in prefixes)}
    assert written == {
        **{declared.stack_name: own(name, declared) for name, declared in looked_at().items()},
        "Conductor": {"verification/*"},  # what verifies; the conductor's own function reaches no object
    }


def test_a_verification_calls_only_those_who_tell_what_has_landed(templates):
    called = {r.split(":function:")[1] for who, action, r in pairs(templates) if (who, action) == VERIFIES}
    assert called == {naming.function(name, "landed") for name, declared in installed().items() if "landed" in declared.steps}


def test_the_conductor_starts_exactly_the_programs_machines(templates, program):
    started = {r.split(":stateMachine:")[1] for who, action, r in pairs(templates) if (who, action) == CONDUCTOR_STARTS}
    assert started == {f"atoll-{slice_id.replace('.', '-')}" for slice_id in program.slice_ids}


def test_the_key_serves_only_atolls_logs_and_this_accounts_alarms(templates):
    (key,) = (r for r in templates["SharedMetadata"]["Resources"].values() if r["Type"] == "AWS::KMS::Key")
    for statement in key["Properties"]["KeyPolicy"]["Statement"]:
        principal = json.dumps(statement["Principal"])
        if "amazonaws.com" in principal:
            assert statement["Condition"], principal
            assert not [a for a in as_list(statement["Action"]) if "*" in a], principal
        else:
            assert "111122223333:root" in principal
