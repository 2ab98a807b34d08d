"""What the synthesised templates promise; that they exist at all means that cdk-nag found nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared_metadata import naming
from tests.infra.conftest import EVERY_OTHER
from tests.infra.looked_at import looked_at
from tests.infra.test_grants import text

pytestmark = pytest.mark.xdist_group("synth")
CAUSES = ("batch completed", "program activated", "flow quiesced", "flow resumed", "batch dead", "batch redriven")
SLICES = tuple(declared.stack_name for declared in looked_at().values())
OF_CODE = naming.function("organize.pyfunctions", "call-")  # the Lambdas of a program's functions


def resources(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Logical id ▸ properties."""
    return {name: r.get("Properties", {}) for name, r in template.get("Resources", {}).items() if r["Type"] == kind}


def only(template: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = resources(template, kind).values()
    return found


def functions(templates: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for template in templates.values():
        for properties in resources(template, "AWS::Lambda::Function").values():
            yield properties["FunctionName"], properties


def test_there_is_a_stack_for_each_used_slice_and_no_other(templates):
    assert set(templates) == {"SharedMetadata", "Conductor", *SLICES}


def exports(template):
    """The outputs that other stacks may import; one of a stack's own is for people."""
    return [name for name, output in template.get("Outputs", {}).items() if "Export" in output]


def test_no_stack_exports_to_another(templates):
    for name, template in templates.items():
        assert not exports(template), name
        assert "Fn::ImportValue" not in json.dumps(template), name


def test_the_metadata_table_is_durable_and_streams(templates):
    table = only(templates["SharedMetadata"], "AWS::DynamoDB::Table")
    assert table["TableName"] == naming.METADATA_TABLE
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["SSESpecification"]["SSEType"] == "KMS"
    assert table["DeletionProtectionEnabled"]


def test_what_holds_data_outlives_its_stack(templates):
    kept = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
    for resource in templates["SharedMetadata"]["Resources"].values():
        if resource["Type"] in kept:
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate"


def test_what_a_verification_leaves_that_was_stopped_goes_after_the_day_in_which_it_is_used(templates):
    buckets = resources(templates["SharedMetadata"], "AWS::S3::Bucket").values()
    rules = [rule for bucket in buckets for rule in bucket["LifecycleConfiguration"]["Rules"]]
    assert [rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == naming.VERIFICATIONS] == [3]


def test_one_key_encrypts_everything(templates):
    assert sum(len(resources(t, "AWS::KMS::Key")) for t in templates.values()) == 1
    for template in templates.values():
        for name, group in resources(template, "AWS::Logs::LogGroup").items():
            assert group["KmsKeyId"], name


def test_every_log_group_forgets(templates):
    groups = [g for t in templates.values() for g in resources(t, "AWS::Logs::LogGroup").values()]
    assert len(groups) > 10
    assert all(group["RetentionInDays"] == 30 for group in groups)


def test_every_function_runs_python_3_13_on_arm64_and_traces_what_an_execution_traces(templates):
    found = dict(functions(templates))
    coded = [name for name in found if name.startswith(OF_CODE)]
    assert len(coded) == 1 and len(found) == 3 + sum(len(declared.steps) for declared in looked_at().values())
    for name, properties in found.items():
        assert properties["Runtime"] == "python3.13", name
        assert properties["Architectures"] == ["arm64"], name
        assert properties["TracingConfig"]["Mode"] == ("PassThrough" if name == naming.CONDUCTOR_FUNCTION else "Active"), name
        assert properties["Timeout"] <= 900, name


def test_every_slice_function_finds_its_slice_table_and_bucket_in_its_environment(templates):
    for name, properties in functions(templates):
        variables = properties["Environment"]["Variables"]
        if name.startswith(OF_CODE):  # a call tells it all that it knows
            assert not [variable for variable in variables if variable.startswith("ATOLL_")]
            continue
        assert variables["ATOLL_METADATA_TABLE"] == naming.METADATA_TABLE
        if name not in (naming.CONDUCTOR_FUNCTION, naming.VERIFY):
            assert name.startswith(naming.state_machine(variables["ATOLL_SLICE_ID"]))
            assert variables["ATOLL_DATA_BUCKET"] == naming.data_bucket("111122223333", "eu-central-1")


def test_every_function_has_a_role_of_its_own(templates):
    roles = [json.dumps([name, p["Role"]]) for name, p in functions(templates)]
    assert len(set(roles)) == len(roles)


@pytest.mark.parametrize("stack", SLICES)
def test_a_slice_has_one_machine_one_alarm_and_one_dashboard(templates, stack):
    machine = only(templates[stack], "AWS::StepFunctions::StateMachine")
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["TracingConfiguration"] == {"Enabled": True}
    alarms = [alarm["MetricName"] for alarm in resources(templates[stack], "AWS::CloudWatch::Alarm").values()]
    of_one = {"CollectHttpSlice": ["5xx"], "CollectPostgresSlice": ["RetainedLogPercent"]}
    own = of_one.get(stack, ["Errors"] if stack.startswith("Organize") else [])
    assert sorted(alarms) == sorted([*own, "ExecutionsFailed"])
    assert only(templates[stack], "AWS::CloudWatch::Dashboard")["DashboardName"] == machine["StateMachineName"]


def test_the_log_that_a_source_keeps_has_an_alarm(templates):
    """Also in a program that captures nothing any more: slots outlive their statement."""
    alarms = resources(templates["CollectPostgresSlice"], "AWS::CloudWatch::Alarm").values()
    (retained,) = [alarm for alarm in alarms if alarm["MetricName"] == "RetainedLogPercent"]
    assert (retained["Threshold"], retained["Statistic"]) == (50, "Maximum")
    assert retained["Dimensions"] == [{"Name": "service", "Value": "collect.postgres"}]


def test_a_warehouse_is_maintained_once_an_hour(templates):
    schedule = only(templates["OrganizeIcebergSlice"], "AWS::Scheduler::Schedule")
    assert (schedule["ScheduleExpression"], schedule["Target"]["Input"]) == ("rate(1 hour)", "{}")
    assert schedule["Target"]["Arn"]["Fn::GetAtt"][0].startswith("Maintain")


def test_the_clock_calls_the_conductor_every_minute(templates):
    schedule = only(templates["Conductor"], "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert json.loads(schedule["Target"]["Input"]) == {"trigger": "clock"}


def test_only_events_on_which_something_is_to_be_done_call_the_conductor(templates):
    mapping = only(templates["Conductor"], "AWS::Lambda::EventSourceMapping")
    (entry,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(entry["Pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {
            "Keys": {"pk": {"S": [{"prefix": "EVENT#"}]}},
            "NewImage": {"kind": {"S": [*CAUSES]}},
        },
    }
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"]
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"]


def test_executions_that_did_not_succeed_call_the_conductor_and_those_that_did_do_not(templates):
    rule = only(templates["Conductor"], "AWS::Events::Rule")
    assert rule["State"] == "ENABLED" and len(json.dumps(rule["EventPattern"])) < 2048
    detail = rule["EventPattern"]["detail"]
    assert (rule["EventPattern"]["source"], detail["status"]) == (["aws.states"], ["FAILED", "TIMED_OUT", "ABORTED"])
    (machines,) = detail["stateMachineArn"]
    for stack in SLICES:
        name = only(templates[stack], "AWS::StepFunctions::StateMachine")["StateMachineName"]
        arn = f"arn:aws:states:eu-central-1:111122223333:stateMachine:{name}"
        assert arn.startswith(text(machines["prefix"])), "of each machine, as its ARN will be"
    (target,) = rule["Targets"]
    (allowed,) = (
        p for p in resources(templates["Conductor"], "AWS::Lambda::Permission").values() if p["Principal"] == "events.amazonaws.com"
    )
    assert allowed["FunctionName"] == target["Arn"] and allowed["SourceArn"], "and nobody else's rules"


def test_dead_letters_and_silence_of_the_conductor_raise_alarms(templates):
    alarms = resources(templates["Conductor"], "AWS::CloudWatch::Alarm").values()
    assert {a["MetricName"] for a in alarms} == {"Errors", "Invocations", "ApproximateNumberOfMessagesVisible", "LateDatasets"}
    assert all(a["AlarmActions"] for a in alarms)


def test_without_a_vpc_nothing_stands_in_one(templates):
    assert not any("VpcConfig" in properties for _, properties in functions(templates))


def test_in_a_vpc_there_are_endpoints_and_no_nat(vpc_templates):
    network = vpc_templates["Network"]
    assert not resources(network, "AWS::EC2::NatGateway")
    assert not resources(network, "AWS::EC2::InternetGateway")
    endpoints = [json.dumps(e["ServiceName"]) for e in resources(network, "AWS::EC2::VPCEndpoint").values()]
    services = {service for declared in looked_at().values() for service in declared.services}
    wanted = {"s3", "dynamodb", "secretsmanager", "states", "sns", *services}
    for service in wanted:
        assert sum(f".{service}" in name for name in endpoints) == 1, service
    assert len(endpoints) == len(wanted)


def test_in_a_vpc_only_functions_that_need_no_private_address_stay_outside(vpc_templates):
    outside = {name for name, properties in functions(vpc_templates) if "VpcConfig" not in properties}
    steps = ("plan", "extract", "commit", "discover")
    apis = {f"atoll-collect-{system}-{step}" for system in ("salesforce", "github") for step in steps}
    outer = tuple(f"atoll-{one}-" for one in ("organize-snowflake", "organize-databricks", "harness-webhook", "harness-salesforce"))
    spoken_to = {name for name in outside if name.startswith(outer)}  # by all functions of these
    assert spoken_to and outside == {*apis, *spoken_to, naming.VERIFY}, (
        "the last calls AWS only, of which Lambda would take an endpoint more"
    )


def test_a_vpc_adds_no_exports(vpc_templates):
    assert not any(exports(template) for template in vpc_templates.values())


@pytest.mark.deep
def test_in_a_vpc_of_the_owners_functions_stand_in_the_named_subnets(other_templates):
    assert "Network" not in other_templates
    inside = [properties["VpcConfig"]["SubnetIds"] for _, properties in functions(other_templates) if "VpcConfig" in properties]
    assert inside and all(subnets == list(EVERY_OTHER.subnet_ids) for subnets in inside)
