"""`atoll deploy` and `atoll destroy`, with a CDK that writes down how it was called."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from click.testing import Result

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
def cdk(empty_account: None, folder: Path, atoll: Atoll) -> Cdk:
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
    assert settings == ["program=program.sql", "vpc=true"]


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
    assert "nobody can be asked" in json.loads(atoll("destroy", "--json").stdout)["errors"][0]["message"] and cdk.arguments == []
    done = atoll("destroy", "--yes").stdout
    assert done.startswith(f"destroyed: {OTHERS}\n{naming.METADATA_STACK} stays, with all data")
    assert naming.METADATA_STACK not in cdk.arguments and "--all" not in cdk.arguments
    atoll("destroy", naming.METADATA_STACK, "--yes")
    assert cdk.arguments[:3] == ["destroy", naming.METADATA_STACK, "--force"]


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
