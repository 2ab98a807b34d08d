"""`atoll deploy` and `atoll destroy`, with a CDK that writes down how it was called."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import Result

from console.reserve import reserved
from infra.cdk_command import PINNED
from shared_metadata import naming
from tests.console.conftest import REGION

Atoll = Callable[..., Result]
VERSION = json.loads((PINNED / "package-lock.json").read_text())["packages"]["node_modules/aws-cdk"]["version"]
STACKS = ["SharedMetadata", "Conductor", "CollectPostgresSlice", "HarnessPostgresSlice", "OrganizeIcebergSlice"]
ALL = "SharedMetadata, Conductor, CollectPostgresSlice, HarnessPostgresSlice and OrganizeIcebergSlice"
OTHERS = ALL.removeprefix("SharedMetadata, ")


class Cdk:
    """An installed command that ends with `code` and prints what it is told to."""

    def __init__(self, folder: Path) -> None:
        self._called, self._file = folder / "called", folder / "node_modules" / ".bin" / "cdk"
        self._file.parent.mkdir(parents=True)
        lock = {"packages": {"node_modules/aws-cdk": {"version": VERSION}}}
        (folder / "node_modules" / ".package-lock.json").write_text(json.dumps(lock))
        self.ends()

    def ends(self, code: int = 0, printing: str = "") -> None:
        self._file.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {self._called}\ncat <<'END'\n{printing}\nEND\nexit {code}\n")
        self._file.chmod(0o755)

    @property
    def arguments(self) -> list[str]:
        return self._called.read_text().split("\n")[:-1] if self._called.exists() else []


@pytest.fixture
def cdk(empty_account: None, folder: Path, atoll: Atoll, monkeypatch: pytest.MonkeyPatch) -> Cdk:
    monkeypatch.setattr("console.deployment.reserved", lambda *_: ("", ""))  # moto does not know what an account may reserve
    assert atoll("init").exit_code == 0
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    return Cdk(folder)


def test_all_that_the_program_needs_is_deployed(atoll: Atoll, cdk: Cdk) -> None:
    cdk.ends(printing=" ✅  SharedMetadata (Mine-SharedMetadata) (no changes)\n ✅  Conductor (Mine-Conductor)")
    result = atoll("deploy", "--yes")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "deployed: SharedMetadata (no changes) and Conductor\n"
    assert cdk.arguments[:4] == ["deploy", "--all", "--require-approval", "never"]
    as_json = json.loads(atoll("deploy", "--yes", "--json").stdout)
    assert as_json == {"deployed": ["SharedMetadata", "Conductor"]}


def test_named_stacks_are_deployed_with_the_settings(atoll: Atoll, cdk: Cdk) -> None:
    result = atoll("deploy", "CollectPostgresSlice", "--program", "program.sql", "-c", "vpc=true")
    assert result.exit_code == 0, result.stderr
    assert cdk.arguments[:2] == ["deploy", "CollectPostgresSlice"]
    settings = [cdk.arguments[at + 1] for at, word in enumerate(cdk.arguments) if word == "--context"]
    assert sorted(settings) == ["program=program.sql", "vpc=true"]


class Lambda:
    """What Lambda says of an account and its conductor; denied: nothing."""

    class exceptions:
        class ResourceNotFoundException(Exception): ...

    def __init__(self, unreserved: int, conductors: int | None = None, *, denied: bool = False) -> None:
        self._unreserved, self._conductors, self._denied = unreserved, conductors, denied

    def get_account_settings(self) -> dict[str, Any]:
        if self._denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}, "GetAccountSettings")
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self._unreserved}}

    def get_function_concurrency(self, **_: str) -> dict[str, int]:
        if self._conductors is None:
            raise self.exceptions.ResourceNotFoundException
        return {"ReservedConcurrentExecutions": self._conductors}


@pytest.mark.parametrize(
    ("account", "given", "expected", "told"),
    [
        (Lambda(1000), "", "conductor=3", ""),
        (Lambda(1000), "organize.iceberg=40", "organize.iceberg=40,conductor=3", ""),
        (Lambda(103), "", "conductor=3", ""),
        (Lambda(100, 3), "", "conductor=3", ""),  # deployed before: what it has it keeps
        (Lambda(102), "", "", "the account has 102 that are not reserved"),
        (Lambda(10), "", "", "raise Service Quotas ▸ Lambda ▸ Concurrent executions"),
        (Lambda(0, denied=True), "", "", "see -c concurrencyOf=conductor=3"),
    ],
)
def test_the_conductor_has_executions_of_its_own_where_the_account_has_enough(
    account: Any, given: str, expected: str, told: str
) -> None:
    found, said = reserved(account, given)
    assert found == expected and told in said and bool(told) == bool(said)


def test_a_deploy_reserves_the_conductors_executions_unless_the_settings_say_otherwise(
    atoll: Atoll, cdk: Cdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.deployment.reserved", lambda _, given: reserved(Lambda(1000), given))
    assert atoll("deploy", "--yes").exit_code == 0 and "concurrencyOf=conductor=3" in cdk.arguments
    assert atoll("deploy", "--yes", "-c", "concurrency=100").exit_code == 0
    assert not [word for word in cdk.arguments if word.startswith("concurrencyOf")]
    assert atoll("deploy", "--yes", "-c", "concurrencyOf=conductor=5").exit_code == 0
    assert "concurrencyOf=conductor=5" in cdk.arguments
    monkeypatch.setattr("console.deployment.reserved", lambda _, given: reserved(Lambda(10), given))
    small = atoll("deploy", "--yes")
    assert small.exit_code == 0 and "the conductor has no executions of its own" in small.stderr
    assert not [word for word in cdk.arguments if word.startswith("concurrencyOf")]


def test_in_an_account_the_cdk_asks_unless_told_yes(atoll: Atoll, cdk: Cdk) -> None:
    assert atoll("deploy").exit_code == 0
    assert "--require-approval" not in cdk.arguments and "--concurrency" not in cdk.arguments


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
@pytest.mark.parametrize("stack", STACKS)
def test_a_misspelled_stack_gets_the_nearest_name(atoll: Atoll, cdk: Cdk, verb: str, stack: str) -> None:
    result = atoll(verb, stack[:-1], "--yes")
    assert result.exit_code == 1 and f"did you mean `{stack}`?" in result.stderr
    assert cdk.arguments == []


def test_a_stack_that_the_program_does_not_need_is_told_so(atoll: Atoll, cdk: Cdk) -> None:
    result = atoll("destroy", "CollectSalesforceSlice", "--yes")
    assert result.exit_code == 1 and "no statement needs it; it has SharedMetadata, " in result.stderr
    value, name = json.dumps({"stack": "Mine-CollectSalesforceSlice"}), naming.parameter("slices", "collect.salesforce")
    boto3.client("ssm").put_parameter(Name=name, Value=value, Type="String")
    left = atoll("destroy", "CollectSalesforceSlice", "--yes")
    assert "delete-stack --stack-name Mine-CollectSalesforceSlice` takes it down" in left.stderr


def test_a_failure_shows_the_last_lines_of_the_cdk(atoll: Atoll, cdk: Cdk) -> None:
    cdk.ends(3, "CREATE_FAILED: the role may not")
    result = atoll("deploy", "--yes")
    assert result.exit_code == 1
    assert "ended with code 3" in result.stderr and "CREATE_FAILED: the role may not" in result.stderr


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
def test_ctrl_c_says_what_goes_on_and_how_to_do_the_rest(atoll: Atoll, cdk: Cdk, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("infra.cdk_command.run", interrupt)
    result = atoll(verb, "--yes")
    assert result.exit_code == 130
    assert f"CloudFormation goes on with the stack that it is at; `atoll {verb}` again does the rest." in result.stderr


def test_nothing_is_taken_down_unasked(atoll: Atoll, cdk: Cdk) -> None:
    result = atoll("destroy")
    assert result.exit_code == 1 and cdk.arguments == []
    assert f"Take down {OTHERS}, and what stands on them, in account 123456789012, region {REGION}?" in result.stderr
    assert "no question can be asked" in json.loads(atoll("destroy", "--json").stdout)["errors"][0]["message"] and cdk.arguments == []
    cdk.ends(printing=" ✅  Conductor: destroyed")
    assert atoll("destroy", "--yes").stdout.startswith("destroyed: Conductor\n")
    assert cdk.arguments == ["destroy", *STACKS[1:], "--force", *cdk.arguments[len(STACKS) + 1 :]] and "--all" not in cdk.arguments
    atoll("destroy", naming.METADATA_STACK, "--yes")
    assert cdk.arguments[:3] == ["destroy", naming.METADATA_STACK, "--force"]


def stand(*names: str) -> None:
    """Stacks of these names in CloudFormation."""
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    for name in names:
        boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


def test_what_the_cdk_never_said_is_not_claimed(atoll: Atoll, cdk: Cdk) -> None:
    assert atoll("deploy", "--yes").stdout == f"the CDK reported nothing done; CloudFormation has none of {ALL}\n"
    assert json.loads(atoll("deploy", "--yes", "--json").stdout) == {"deployed": []}
    assert atoll("destroy", "--yes").stdout == "the CDK reported nothing done\n"
    assert atoll("destroy", "Conductor", "--yes").stdout == "the CDK reported nothing done\n"
    assert json.loads(atoll("destroy", "--yes", "--json").stdout) == {"destroyed": [], "left": []}
    stand("Atoll-SharedMetadata", "Atoll-Conductor", "Somebodys-Conductor", "Conductor")
    told = atoll("deploy", "--yes").stdout
    assert told == "the CDK reported nothing done; CloudFormation has SharedMetadata and Conductor\n"
    assert json.loads(atoll("destroy", "Conductor", "--yes", "--json").stdout) == {"destroyed": []}


def test_what_still_stands_after_a_destroy_is_told_with_what_takes_it_down(atoll: Atoll, cdk: Cdk) -> None:
    """Also what neither the program nor the settings of this time have."""
    stand("Atoll-SharedMetadata", "Atoll-Network", "Atoll-CollectSalesforceSlice", "Atoll-Conductor", "Other-Network")
    told = atoll("destroy", "--yes").stdout.splitlines()[1:]
    assert told == [
        "SharedMetadata stays, with all data: a later `atoll deploy` goes on from there",
        "CollectSalesforceSlice is still there: aws cloudformation delete-stack --stack-name Atoll-CollectSalesforceSlice",
        "Conductor is still there: atoll destroy Conductor",
        "Network is still there: atoll destroy Network -c vpc=true",
    ]
    left = json.loads(atoll("destroy", "--yes", "--json").stdout)["left"]
    assert left == ["CollectSalesforceSlice", "Conductor", "Network", "SharedMetadata"]
    assert (
        "Network is still there: atoll destroy Network\n" in atoll("destroy", "--yes", "-c", "vpc=true", "-c", "prefix=Other").stdout
    )


def test_where_cloudformation_may_not_be_asked_it_is_said_so(atoll: Atoll, cdk: Cdk, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([*["AccessDenied"] * 3, "Throttling"])

    def refuse(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": next(refusals)}}, "DescribeStacks")

    monkeypatch.setattr("botocore.paginate.Paginator.paginate", refuse)
    assert "CloudFormation may not be asked what is there" in atoll("deploy", "--yes").stdout
    assert "CloudFormation may not be asked whether anything else is there" in atoll("destroy", "--yes").stdout
    assert json.loads(atoll("destroy", "--yes", "--json").stdout)["left"] is None
    assert "for the moment" in atoll("destroy", "--yes").stderr


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
@pytest.mark.parametrize("said", ["on the command line", "in cdk.json"])
def test_the_network_is_one_of_the_stacks_where_it_is_asked_for(atoll: Atoll, cdk: Cdk, folder: Path, verb: str, said: str) -> None:
    assert "-c vpc=true, or write it into cdk.json" in atoll(verb, "Network", "--yes").stderr and cdk.arguments == []
    if said == "in cdk.json":
        (folder / "cdk.json").write_text(json.dumps({"app": "atoll-app", "context": {"program": "program.sql", "vpc": True}}))
    options = [] if said == "in cdk.json" else ["-c", "vpc=true"]
    assert atoll(verb, "Network", "--yes", *options).exit_code == 0 and cdk.arguments[1] == "Network"
    atoll("destroy", "--yes", *options)
    assert "Network" in cdk.arguments


@pytest.mark.parametrize("options", [["-c", "program=other.sql"], ["--program", "other.sql"], []])
def test_the_program_that_is_compiled_is_the_one_that_the_cdk_compiles(
    atoll: Atoll, cdk: Cdk, folder: Path, options: list[str]
) -> None:
    """Of a name that is given twice the last holds, and --program over all."""
    (folder / "other.sql").write_text("CREATE WAREHOUSE lake USING iceberg;\n")
    if not options:
        (folder / "cdk.json").write_text(json.dumps({"context": {"program": "other.sql"}}))
    assert atoll("destroy", "--yes", *options).exit_code == 0
    assert [word for word in cdk.arguments if word in STACKS] == ["Conductor"]
    handed = [cdk.arguments[at + 1] for at, word in enumerate(cdk.arguments) if word == "--context"]
    assert handed == (["program=other.sql"] if options else [])
    twice = ["-c", "program=nowhere.sql", "-c", "program=program.sql", *(options if "--program" in options else [])]
    assert atoll("destroy", "--yes", *twice).exit_code == 0
    assert [word for word in cdk.arguments if word in STACKS] == (["Conductor"] if "--program" in options else STACKS[1:])


def test_a_qualifier_on_the_command_line_is_looked_for(atoll: Atoll, cdk: Cdk) -> None:
    qualifier = ["-c", "@aws-cdk/core:bootstrapQualifier=mine"]
    assert "was never made ready" in atoll("deploy", "--yes", *qualifier).stderr and cdk.arguments == []
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/mine/version", Value="30", Type="String")
    assert atoll("deploy", "--yes", *qualifier).exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "no object"),
        ("null", "no object"),
        ("3", "no object"),
        ("{", "cdk.json:1:2: this is not JSON"),
        ('{"context": null}', "its `context` is no object"),
        ('{"context": []}', "its `context` is no object"),
        ('{"context": {"program": ["a.sql"]}}', "-c program: accepted is one text"),
        ('{"context": {"subnetIds": ["subnet-1"]}}', "-c subnetIds: accepted is one text"),
        ('{"context": {"vpcCidr": "10.0.5.7/16"}}', "this address lies in 10.0.0.0/16"),
        ('{"context": ' + "[" * 100_000 + "]" * 100_000 + "}", "too many levels"),
        ("\xff", "cdk.json:1: byte 0 is not UTF-8"),
    ],
)
@pytest.mark.parametrize("command", [["deploy", "--yes"], ["destroy", "--yes"], []])
def test_a_cdk_json_that_cannot_be_meant_is_told_with_its_remedy(
    atoll: Atoll, cdk: Cdk, folder: Path, text: str, said: str, command: list[str]
) -> None:
    (folder / "cdk.json").write_bytes(text.encode("latin-1"))
    result = atoll(*command)
    if command or ("-c" not in said and "address" not in said):
        assert result.exit_code == 1 and said in result.stderr and "help: " in result.stderr
    assert cdk.arguments == []


def test_a_cdk_json_may_have_a_byte_order_mark(atoll: Atoll, cdk: Cdk, folder: Path) -> None:
    (folder / "cdk.json").write_bytes(b"\xef\xbb\xbf" + (folder / "cdk.json").read_bytes())
    assert atoll("deploy", "--yes").exit_code == 0


def test_a_setting_without_a_value_is_refused(atoll: Atoll, cdk: Cdk) -> None:
    assert "-c vpc sets nothing" in atoll("deploy", "--yes", "-c", "vpc").stderr and cdk.arguments == []


def test_an_account_that_was_never_bootstrapped_is_told_how(atoll: Atoll, empty_account: None, folder: Path) -> None:
    atoll("init")
    Cdk(folder)
    result = atoll("deploy", "--yes")
    assert result.exit_code == 1
    assert f" help: npx cdk bootstrap aws://123456789012/{REGION}" in result.stderr
    (folder / "cdk.json").write_text(json.dumps({"context": {"@aws-cdk/core:bootstrapQualifier": "mine"}}))
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/mine/version", Value="30", Type="String")
    assert atoll("deploy", "--yes").exit_code == 0


def test_a_program_with_mistakes_is_not_deployed(atoll: Atoll, cdk: Cdk, folder: Path) -> None:
    (folder / "program.sql").write_text("CREATE WAREHOUS lake USING iceberg;")
    result = atoll("deploy", "--yes")
    assert result.exit_code == 1 and "program.sql:1:8" in result.stderr and cdk.arguments == []
    assert json.loads(atoll("deploy", "--yes", "--json").stdout)["errors"][0]["line"] == 1


def test_a_folder_that_is_no_project_is_told_how_to_become_one(atoll: Atoll, empty_account: None) -> None:
    result = atoll("deploy", "--yes")
    assert result.exit_code == 1 and "there is no cdk.json here" in result.stderr and "atoll init" in result.stderr


def test_where_the_cdk_is_not_installed_and_there_is_no_node_it_says_what_to_install(
    atoll: Atoll, cdk: Cdk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "node_modules" / ".package-lock.json").write_text("{}")
    monkeypatch.setenv("PATH", os.devnull)
    result = atoll("deploy", "--yes")
    assert result.exit_code == 1 and "the CDK needs Node and npm" in result.stderr and "nodejs.org" in result.stderr


def test_what_npm_said_is_in_a_file_that_the_error_names(
    atoll: Atoll, cdk: Cdk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "node_modules" / ".package-lock.json").write_text("{}")
    tools = folder / "tools"
    tools.mkdir()
    for name, script in (("node", "echo v20.1.0"), ("npm", "echo no route to the registry; exit 7")):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    result = atoll("deploy", "--yes")
    log = folder / ".atoll" / "cdk" / "npm.log"
    assert result.exit_code == 1 and "(code 7)" in result.stderr and str(log) in result.stderr
    assert log.read_text() == "no route to the registry\n"
    (tools / "node").write_text("#!/bin/sh\necho v18.20.1\n")
    assert "says v18.20.1" in atoll("deploy", "--yes").stderr
