"""Every command that the pages show is one: of the AWS CLI by the API's own model, of Atoll by the command itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import click
import pytest

from console.main import main
from infra.settings import OPTIONS
from tests.docs.commands import options, shown, wrong_with

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("conductor", "console", "infra", "language", "shared_metadata", "slices", "systems")
GRANT, CATALOG = "aws lakeformation grant-permissions --principal", '{"Catalog": {}}'
NO_VERBS = ("long",)  # as in a column's comment
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(page for room in (*PRODUCT, "doubles", "examples", "benchmarks", "tests") for page in (ROOT / room).rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_of_a_page_is_taken(page: Path) -> None:
    text = page.read_text()
    found = [(words, wrong_with(words)) for words in shown(text, "aws")]
    found += [(words, _wrong_with_atoll(words[1:])) for words in shown(text, "atoll")]
    found += [(words, _unknown_option(words)) for program in ("npx cdk", "atoll") for words in shown(text, program)]
    assert [f"{' '.join(words)}: {wrong}" for words, wrong in found if wrong] == []


def test_the_commands_of_a_page_are_seen() -> None:
    text = (ROOT / "docs" / "deploying.md").read_text()
    seen = {program: {" ".join(words[:3]) for words in shown(text, program)} for program in ("aws", "atoll", "npx cdk")}
    assert seen["aws"] >= {
        "aws sns subscribe",
        "aws glue get-database",
        "aws glue update-database",
        "aws lakeformation grant-permissions",
    }
    assert seen["atoll"] >= {"atoll check", "atoll deploy --profile", "atoll state upgrade", "atoll destroy SharedMetadata"}
    assert seen["npx cdk"] >= {"npx cdk bootstrap", "npx cdk deploy", "npx cdk synth"}
    assert _unknown_option(["npx", "cdk", "deploy", "-c", "vcp=true"]) == "no option vcp"


def test_each_command_of_the_aws_cli_in_a_remedy_is_taken() -> None:
    remedies = [text for room in PRODUCT for file in (ROOT / room).rglob("*.py") for text in _texts(file)]
    found = [words for text in remedies for words in shown(text if "`" in text else f"`{text}`", "aws") if len(words) > 3]
    assert len(found) > 2 and [f"{' '.join(words)}: {wrong}" for words in found if (wrong := wrong_with(words))] == []


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("aws glue get-databse --name a", "glue has no operation get-databse"),
        ("aws gleu get-database --name a", "no service gleu"),
        ("aws glue get-database --nme a", "get-database has no option --nme"),
        ("aws glue get-database --region eu-central-1 --catalog-id 1", "it needs Name"),
        (f"{GRANT} DataLakePrincipalIdentifier=A --permissions ALL", "it needs Resource"),
        (f"{GRANT} Id=A --permissions ALL --resource '{CATALOG}'", "unknown Id"),
        (f"{GRANT} DataLakePrincipalIdentifier=A --permissions SUPER --resource '{CATALOG}'", "SUPER is none of"),
        (f"{GRANT} DataLakePrincipalIdentifier=A --permissions ALL --resource '{CATALOG}'", ""),
        (
            'AWS_PROFILE=a aws glue get-database --name "$(aws glue get-databases --nme b)"',
            "get-databases has no option --nme",
        ),
        ("aws glue get-database --name a --output text | jq .", ""),
        ("aws sns subscribe --topic-arn … --protocol email", ""),
        ("aws glue delete-table", ""),
    ],
)
def test_what_the_aws_cli_would_not_take_is_seen(command: str, wrong: str) -> None:
    for text in (f"```\n{command}\n```\n", f"say `{command}` there"):
        found = [wrong_with(words) for words in shown(text, "aws")]
        assert found and (any(wrong in one for one in found) if wrong else not any(found)), found


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("atoll stauts", "no verb stauts"),
        ("atoll state verfy", "no verb verfy"),
        ("atoll status --wach", "no option --wach"),
        ("atoll --profile a status lake.ops.orders --watch", ""),
        ("atoll deploy -c vpc=true", ""),
    ],
)
def test_what_atoll_would_not_take_is_seen(command: str, wrong: str) -> None:
    assert [_wrong_with_atoll(words[1:]) for words in shown(f"`{command}`", "atoll")] == [wrong]


def _unknown_option(words: list[str]) -> str:
    """'' if what is given by `-c` are options of a deploy."""
    given = [after.partition("=")[0] for word, after in pairwise(words) if word in ("-c", "--context")]
    return next((f"no option {name}" for name in given if name not in OPTIONS and name.isidentifier()), "")


def _wrong_with_atoll(words: list[str]) -> str:
    """'' if the verb is one, and each option is one of it."""
    context, command = click.Context(main), cast(click.Command, main)
    named = [name for parameter in main.params for name in (*parameter.opts, *parameter.secondary_opts)]
    rest = list(words)
    while isinstance(command, click.Group):
        while rest and rest[0].startswith("-"):
            rest = rest[2:] if rest[0] == "--profile" else rest[1:]
        if not rest or not re.fullmatch(r"[a-z][a-z-]*", rest[0]) or rest[0] in NO_VERBS:  # `atoll …`
            return ""
        found = command.get_command(context, rest[0])
        if found is None:
            return "" if command.invoke_without_command and command is not main else f"no verb {rest[0]}"
        command, rest = found, rest[1:]
        named += [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    return next((f"no option --{name}" for name in options(rest) if f"--{name}" not in (*named, "--help")), "")


def _texts(file: Path) -> Iterator[str]:
    """The texts in which `aws …` stands; what is filled in is a word."""
    source = file.read_text()
    if "aws " not in source or "tests" in file.parts:
        return
    nodes = list(ast.walk(ast.parse(source)))
    parts = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "WORD" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.value
