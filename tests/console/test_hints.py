"""What hints name: the next command with the files and the account of the present one, and the program that cdk.json names."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from console import target
from console.again import WITHOUT_ACCOUNT, again
from console.init import PROGRAM
from console.main import VERBS, main
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


CONSOLE = Path(__file__).parents[2] / "console"
# Modules of verbs that ask no account, so that none can be given to them; and the one that makes what `again` is given.
OF_NO_ACCOUNT = {"again", "check", "deploy_hint", "init", "local", "main", "new_slice", "next_step", "translate"}


def _verbs(group: click.Group) -> dict[str, click.Command]:
    found = {name: group.get_command(click.Context(group), name) for name in group.list_commands(click.Context(group))}
    return {name: command for name, command in found.items() if command is not None}


def _takes_profile(command: click.Command) -> bool:
    inner = _verbs(command).values() if isinstance(command, click.Group) else ()
    return any(parameter.name == "profile" for one in (command, *inner) for parameter in one.params)


def test_a_hint_gives_an_account_to_those_verbs_that_take_one() -> None:
    assert {name for name, command in _verbs(main).items() if not _takes_profile(command)} == WITHOUT_ACCOUNT


def _plain_commands(module: Path) -> Iterator[str]:
    """What a module says of a command that takes an account, and not by `again`; its help is for all accounts."""
    named = re.compile(rf"\batoll (?:{'|'.join({*VERBS} - WITHOUT_ACCOUNT)})\b")

    def inside(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and named.search(node.value):
            yield f"{module.name}:{node.lineno}: {node.value}"
        for child in ast.iter_child_nodes(node):
            helps = isinstance(child, ast.keyword) and child.arg in ("help", "short_help")
            says = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)  # a docstring
            calls = isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "again"
            if not (helps or says or calls):
                yield from inside(child)

    yield from inside(ast.parse(module.read_text()))


@pytest.mark.parametrize("module", [m for m in sorted(CONSOLE.glob("*.py")) if m.stem not in OF_NO_ACCOUNT], ids=lambda m: m.stem)
def test_every_command_that_is_hinted_at_repeats_the_account(module: Path) -> None:
    assert [*_plain_commands(module)] == []


@pytest.mark.parametrize("before", [True, False])
def test_a_groups_account_is_that_of_its_verb(before: bool) -> None:
    @click.group(invoke_without_command=True)
    @profile_option
    def group(profile: str | None) -> None:
        pass

    @group.command()
    @profile_option
    def show(profile: str | None) -> None:
        click.echo(profile)
        click.echo(again("atoll drift"))

    given = ["--profile", "test", "show"] if before else ["show", "--profile", "test"]
    assert CliRunner().invoke(group, given).stdout.splitlines() == ["test", "atoll drift --profile test"]


@pytest.fixture
def any_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every profile is that of the test's account."""
    account = target._account
    monkeypatch.setattr(target, "_account", lambda profile: account(""))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("why", "lake.nope"), "run `atoll apply --profile test`"),  # of the metadata layer
        (("cancel",), "`atoll rollback --profile test` brings"),
        (("drift", "show", "9"), "`atoll drift --all --profile test` lists them"),
        (("run", "lake.ops.orders", "--from", "2026-01-01T00:01Z", "--to", "2026-01-01T00:02Z"), "run `atoll apply --profile test`"),
    ],
)
def test_an_error_repeats_the_account_wherever_it_comes_from(
    atoll: Atoll, account: Any, any_profile: None, line: tuple[str, ...], said: str
) -> None:
    assert said in atoll(*line, "--profile", "test").stderr


def test_an_account_without_its_table_names_the_command_for_that_account(
    atoll: Atoll, empty_account: None, any_profile: None
) -> None:
    assert "help: atoll deploy --profile test" in atoll("status", "--profile", "test").stderr
