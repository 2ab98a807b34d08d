"""A misspelled verb, option or dataset gets the nearest name, whatever the verb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from click.testing import Result

from console.main import VERBS, main

Atoll = Callable[..., Result]
DATASET = "lake.ops.customers"
OF_A_DATASET = ("status", "why", "rejected", "run", "retry", "logs", "maintain", "lineage", "explain")


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb and every verb of a verb, by the words that call it."""
    context = click.Context(main)
    for name in VERBS:
        command = main.get_command(context, name)
        assert command is not None
        yield (name,), command
        for inner, below in getattr(command, "commands", {}).items():
            yield (name, inner), below


COMMANDS = dict(commands())
OPTIONS = [
    (words, option)
    for words, command in COMMANDS.items()
    for parameter in command.params
    for option in parameter.opts
    if option.startswith("--") and len(option) > 5
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_misspelled_verb(atoll: Atoll, words: tuple[str, ...]) -> None:
    *before, verb = words
    result = atoll(*before, verb[:-1] + "zz" if len(verb) > 3 else verb + "z")
    assert result.exit_code == 2 and "Did you mean" in result.stderr and f"'{verb}'" in result.stderr


@pytest.mark.parametrize(("words", "option"), OPTIONS, ids=str)
def test_a_misspelled_option(atoll: Atoll, words: tuple[str, ...], option: str) -> None:
    result = atoll(*words, option[:-2] + "q" + option[-1])
    assert result.exit_code == 2 and "Did you mean" in result.stderr and f"'{option}'" in result.stderr


@pytest.mark.parametrize("wrong", ["lake.ops.custmers", "lake.op.customers", "lake.ops.customer"])
def test_a_misspelled_dataset(atoll: Atoll, ready: Any, wrong: str) -> None:
    assert atoll("apply").exit_code == 0
    for verb in OF_A_DATASET:
        if verb == "status" and DATASET.startswith(wrong):
            continue  # the beginning of a name means all that begin with it
        result = atoll(verb, wrong)
        assert result.exit_code == 1 and f"did you mean `{DATASET}`?" in result.stderr, (verb, result.stderr)


def test_every_verb_that_takes_a_dataset_is_asked_above() -> None:
    taking = {words[0] for words, c in COMMANDS.items() for p in c.params if p.name in ("dataset", "datasets", "flow", "target")}
    assert taking <= {*OF_A_DATASET, "publish"}  # which takes what is published, and says so in test_publish.py
