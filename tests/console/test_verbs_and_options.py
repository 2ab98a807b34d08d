"""Verbs and options as they are typed: before or after one another, and with a letter left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from console.main import ELSEWHERE, VERBS, main
from console.options_before import moved

Atoll = Callable[..., Result]


def _commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each verb, and each verb of one that has verbs of its own."""
    context = click.Context(main)
    for name in VERBS:
        command = main.get_command(context, name)
        assert command is not None
        yield (name,), command
        for inner, found in getattr(command, "commands", {}).items():
            yield (name, inner), found


COMMANDS = [pytest.param(path, command, id=" ".join(path)) for path, command in _commands()]


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_json_may_stand_before_a_verb_or_behind_it(path: tuple[str, ...], command: click.Command, atoll: Atoll) -> None:
    """An option that there is not keeps the verb from running, and is what is told, as JSON, where `--json` is read."""
    has = any("--json" in parameter.opts for parameter in command.params) or isinstance(command, click.Group)
    for typed in [("--json", *path, "--zzz"), (path[0], "--json", *path[1:], "--zzz"), (*path, "--json", "--zzz")]:
        result = atoll(*typed)
        grouped = isinstance(command, click.Group) and not command.invoke_without_command
        unknown = "--zzz" if has and not (grouped and typed[-2] == "--json") else "--"
        (error,) = json.loads(result.stdout)["errors"]
        assert result.exit_code == 2 and f"No such option '{unknown}" in error["message"], result.stdout
        assert error["help"].startswith("see `") and error["help"].endswith(" --help`") and not result.stderr


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_a_verb_with_a_letter_left_out_is_told_which_is_meant(path: tuple[str, ...], command: click.Command, atoll: Atoll) -> None:
    name = path[-1]
    result = atoll(*path[:-1], name[0] + name[2:] if len(name) > 2 else name * 2)
    assert result.exit_code == 2 and "id you mean" in result.stderr and f"'{name}'" in result.stderr


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_an_option_with_a_letter_left_out_is_told_which_is_meant(path: tuple[str, ...], command: click.Command, atoll: Atoll) -> None:
    for option in [name for parameter in command.params for name in parameter.opts if name.startswith("--")]:
        result = atoll(*path, option[:3] + option[4:])
        assert result.exit_code == 2 and f"'{option}'" in result.stderr, option


def test_only_what_stands_before_the_verb_is_moved() -> None:
    assert moved(["--profile", "x", "--json", "status", "lake.a.b"]) == ["status", "lake.a.b", "--profile", "x", "--json"]
    assert moved(["--profile=x", "status"]) == ["status", "--profile=x"]
    assert moved(["status", "--json"]) == ["status", "--json"]
    assert moved(["--json"]) == ["--json"]
    assert moved(["--json", "run", "--", "-x"]) == ["--json", "run", "--", "-x"]


def test_alone_it_says_what_comes_next_as_json(atoll: Atoll, folder: Path) -> None:
    assert atoll("--json").stdout == '{"said": "There is no program here.", "next": "atoll init"}\n'


@pytest.mark.parametrize("verb", sorted(ELSEWHERE))
def test_a_verb_of_another_tool_is_told_what_does_the_same_here(verb: str, atoll: Atoll) -> None:
    result = atoll(verb)
    assert result.exit_code == 2 and f"Here it is `{ELSEWHERE[verb]}`." in result.stderr
    _, command, *_ = ELSEWHERE[verb].split()
    assert command in VERBS or command.startswith("--")
