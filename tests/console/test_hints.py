"""What hints name: the next command with the files and the account of the present one, and the program that cdk.json names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from console.again import again
from console.init import PROGRAM
from console.target import profile_option

Atoll = Callable[..., Result]


@click.command()
@click.argument("files", nargs=-1)
@profile_option
def some_verb(files: tuple[str, ...], profile: str | None) -> None:
    click.echo(again("atoll next", files=True))
    click.echo(again("atoll other"))


@pytest.mark.parametrize(
    ("given", "next_", "other"),
    [
        ([], "atoll next", "atoll other"),
        (["a.sql"], "atoll next a.sql", "atoll other"),
        (["a b.sql", "c"], "atoll next 'a b.sql' c", "atoll other"),
        (["--profile", "test"], "atoll next --profile test", "atoll other --profile test"),
        (["a.sql", "--profile", "my $own"], "atoll next a.sql --profile 'my $own'", "atoll other --profile 'my $own'"),
    ],
)
def test_a_hint_repeats_what_was_given(given: list[str], next_: str, other: str) -> None:
    assert CliRunner().invoke(some_verb, given).stdout.splitlines() == [next_, other]


@pytest.fixture
def elsewhere(folder: Path, atoll: Atoll) -> Path:
    """A project whose program stands in a folder of two files, which cdk.json names."""
    assert atoll("init").exit_code == 0
    (folder / "parts").mkdir()
    text, at = (folder / "program.sql").read_text(), PROGRAM.index("-- Organize")
    (folder / "program.sql").unlink()
    (folder / "parts" / "one.sql").write_text(text[:at].rstrip() + "\n")
    (folder / "parts" / "two.sql").write_text(text[at:])
    (folder / "cdk.json").write_text(json.dumps({"app": "atoll-app", "context": {"program": "parts"}}))
    return folder


@pytest.mark.parametrize("program", ["parts", "parts/one.sql, parts/two.sql", "parts/"])
@pytest.mark.parametrize("verb", [("check",), ("format", "--check"), ("lineage", "lake.ops.customers")])
def test_without_files_verbs_take_the_program_of_cdk_json(atoll: Atoll, elsewhere: Path, verb: tuple[str, ...], program: str) -> None:
    (elsewhere / "cdk.json").write_text(json.dumps({"app": "atoll-app", "context": {"program": program}}))
    result = atoll(*verb)
    assert "there is no file" not in result.output and "program.sql" not in result.output
    assert result.exit_code == 0 or "schemas/" in result.stderr, result.output


def test_plan_takes_the_program_of_cdk_json_and_names_its_own_files(atoll: Atoll, ready: Any, folder: Path) -> None:
    (folder / "other.sql").write_text((folder / "program.sql").read_text())
    (folder / "program.sql").unlink()
    assert atoll("plan", "other.sql").stdout.endswith("Apply it with: atoll apply other.sql\n")
    (folder / "cdk.json").write_text(json.dumps({"context": {"program": "other.sql"}}))
    assert atoll("plan").stdout.endswith("Apply it with: atoll apply\n")


def test_moments_that_cannot_be_run_are_refused_in_the_commands_own_words(atoll: Atoll, ready: Any) -> None:
    assert atoll("apply").exit_code == 0
    spans = [("2026-01-02", "2026-01-01"), ("2026-01-01", "2026-01-01"), ("2026-01-01", "2999-01-01"), ("soon", "2026-01-01")]
    for start, end in [*spans, ("2026-01-01T00:01Z", "2026-01-01T00:02Z")]:
        result = atoll("run", "lake.ops.orders", "--from", start, "--to", end)
        assert result.exit_code == 1 and "{" not in result.stderr and "conductor" not in result.stderr, result.stderr
        assert "help: " in result.stderr


def test_ctrl_c_says_that_the_execution_goes_on(atoll: Atoll, ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    assert atoll("apply").exit_code == 0
    monkeypatch.setattr("console.run.wait_for", interrupt)
    result = atoll("run", "lake.ops.orders")
    assert result.exit_code == 130
    assert "The execution goes on: atoll logs lake.ops.orders, atoll status" in result.stderr


def test_down_where_nothing_ever_ran_says_so(atoll: Atoll) -> None:
    assert atoll("local", "down").stdout == "nothing was ever started in this folder\n"
