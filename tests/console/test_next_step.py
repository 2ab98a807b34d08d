"""`atoll` alone: the next step from every place in which a project can stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from console.init import PROGRAM
from console.main import VERBS
from console.next_step import Standing, next_step
from tests.console.test_status import ORDERS, STAGED, activate, fail, make_all, program

Atoll = Callable[..., Result]
# In the order in which one says what comes first: each is worse than all below it.
ORDER = [
    ("exists", False, "atoll init"),
    ("mistakes", 2, "atoll check"),
    ("account", "no AWS region is set", "set it"),
    ("stopped", ("lake.a",), "atoll why lake.a, then atoll retry"),
    ("quiesced", ("lake.a",), "atoll drift"),
    ("undeployed", ("collect.postgres",), "atoll deploy"),
    ("secrets", ("atoll secret ops ops.json",), "atoll secret ops ops.json"),
    ("typed", False, "atoll discover"),
    ("applied", False, "atoll plan, then atoll apply"),
    ("differs", True, "atoll plan, then atoll apply"),
    ("failing", ("lake.a",), "atoll why lake.a"),
    ("takes_effect", "2026-12-01T00:00:00Z", "atoll plan --pending"),
    ("late", ("lake.a",), "atoll why lake.a"),
    ("new", ("lake.a",), "atoll why lake.a"),
]


@pytest.mark.parametrize("place", range(len(ORDER)), ids=[name for name, _, _ in ORDER])
def test_what_comes_first_is_said_first(place: int) -> None:
    standing = Standing(**{name: value for name, value, _ in ORDER[place:]}, account_remedy="set it")
    step = next_step(standing)
    assert step.command == ORDER[place][2] and step.said.endswith(".")
    alone = next_step(Standing(**{ORDER[place][0]: ORDER[place][1]}, account_remedy="set it"))
    assert alone == step


def test_every_fact_that_is_known_leads_to_a_step_of_its_own() -> None:
    assert {name for name, _, _ in ORDER} == {f.name for f in fields(Standing)} - {"files", "account_remedy", "current"}
    said = {next_step(Standing(**{name: value}, account_remedy="set it")).said for name, value, _ in ORDER}
    assert len(said) == len(ORDER)


def test_where_all_is_current_nothing_is_to_be_done() -> None:
    step = next_step(Standing(current=("lake.a", "lake.b")))
    assert step.said == "All is well: 2 datasets, each current." and step.command == "atoll status"


def test_every_step_is_a_verb_that_there_is() -> None:
    commands = [command for _, _, command in ORDER if command != "set it"]
    assert {verb for command in commands for verb in re.findall(r"atoll (\w+)", command)} <= {*VERBS}


def test_a_program_of_other_files_is_named_in_the_step() -> None:
    assert next_step(Standing(mistakes=1, files="sales/ more.sql")).command == "atoll check sales/ more.sql"


def test_from_an_empty_folder_to_an_applied_program(atoll: Atoll, account: Any, folder: Path) -> None:
    def told() -> str:
        result = atoll()
        assert result.exit_code == 0, result.stderr
        return result.stdout

    assert "There is no program here." in told() and "next: atoll init" in told()
    atoll("init")
    (folder / "program.sql").write_text(PROGRAM + "SELECT;")
    assert "The program has 1 mistake." in told()
    (folder / "program.sql").write_text(PROGRAM)
    assert "conductor, collect.postgres, harness.postgres and 1 more" in told() and "next: atoll deploy\n" in told()
    account.deploy_conductor()
    account.deploy("collect.postgres")
    assert "needed by the program: harness.postgres and organize.iceberg." in told()
    for slice_id in ("harness.postgres", "organize.iceberg"):
        account.deploy(slice_id)
    assert "next: atoll secret ops ops.json" in told()
    boto3.client("kms").create_alias(AliasName="alias/atoll", TargetKeyId=boto3.client("kms").create_key()["KeyMetadata"]["KeyId"])
    (folder / "ops.json").write_text('{"host": "db", "dbname": "shop", "username": "atoll", "password": "x"}')
    assert atoll("secret", "ops", "ops.json").exit_code == 0
    assert "next: atoll discover" in told()


def test_what_was_applied_and_what_was_changed_since(atoll: Atoll, ready: Any, folder: Path) -> None:
    assert "no program was applied yet" in atoll().stdout
    assert atoll("apply").exit_code == 0
    assert "Applied, and no batch was made yet of " in atoll().stdout
    make_all(ready)
    assert "5 datasets, each current" in atoll().stdout
    (folder / "program.sql").write_text(PROGRAM.replace("count(*) AS orders", "count(id) AS orders"))
    assert "is not the one that was applied" in atoll().stdout


def test_what_fails_is_told_and_what_stopped_before_all_else(atoll: Atoll, ready: Any, folder: Path) -> None:
    activate(ready, program())
    (folder / "program.sql").write_text(PROGRAM.replace("count(*) AS orders", "count(id) AS orders"))
    fail(ready, ORDERS, STAGED, "SecretError: the password is refused")
    assert "is not the one that was applied" in atoll().stdout
    for _ in range(4):
        fail(ready, ORDERS, STAGED, "SecretError: the password is refused")
    assert f"Stopped, after failing too often: {STAGED}." in atoll().stdout
    (folder / "program.sql").write_text(PROGRAM + "SELECT;")
    assert "The program has 1 mistake." in atoll().stdout


def test_without_an_account_it_says_how_to_have_one(atoll: Atoll, folder: Path) -> None:
    atoll("init")
    assert "no AWS region is set" in atoll().stdout and "atoll local up" in atoll().stdout
