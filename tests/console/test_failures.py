"""What goes wrong outside of Atoll ends with a message and a remedy, never with a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import Result

import console
from console.failures import explain_aws
from console.main import VERBS
from console.target import open_target
from infra.embedded.ports import free_port
from shared_metadata.errors import RetryLater

Atoll = Callable[..., Result]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


def test_no_region(atoll: Atoll) -> None:
    result = atoll("status")
    assert result.exit_code == 1 and "no AWS region is set" in result.stderr and "AWS_REGION" in result.stderr


def test_no_credentials(atoll: Atoll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    result = atoll("status")
    assert result.exit_code == 1 and "there are no AWS credentials" in result.stderr and "help: `aws configure`" in result.stderr


def test_an_unknown_profile(atoll: Atoll) -> None:
    result = atoll("status", "--profile", "nope")
    assert result.exit_code == 1 and "no profile 'nope'" in result.stderr and "aws configure list-profiles" in result.stderr


def test_an_endpoint_that_does_not_answer(atoll: Atoll, credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    result = atoll("status", "--json")
    [found] = json.loads(result.stdout)["errors"]
    assert result.exit_code == 1 and found["error"] == "RetryLater" and "cannot be reached" in found["message"]


OF_AN_ACCOUNT = [
    *(
        "status",
        "why lake.x.y",
        "run lake.x",
        "retry lake.x.y",
        "retry --all",
        "drift",
        "drift show 1",
        "rejected lake.x.y",
        "logs lake.x",
    ),
    *(
        "maintain lake.x.y",
        "state verify",
        "state repair",
        "state export x.json",
        "state upgrade",
        "plan --pending",
        "cancel",
        "rollback",
    ),
]


@pytest.mark.parametrize("verb", [verb.split() for verb in OF_AN_ACCOUNT])
def test_an_account_without_the_metadata_table(atoll: Atoll, empty_account: None, verb: list[str]) -> None:
    result = atoll(*verb)
    assert result.exit_code == 1
    assert "SharedMetadata is not deployed" in result.stderr and "help: atoll deploy, or" in result.stderr


@pytest.mark.parametrize(
    ("code", "operation", "said"),
    [
        ("AccessDeniedException", "Query", "AWS refuses Query: user/x may not"),
        ("ExpiredTokenException", "Query", "the AWS credentials have expired"),
        ("UnrecognizedClientException", "Query", "AWS does not know these credentials"),
        ("ThrottlingException", "Query", "AWS refuses Query for the moment (ThrottlingException): user/x may not"),
        ("InternalServerError", "Query", "AWS refuses Query for the moment (InternalServerError)"),
        ("TransactionConflictException", "PutItem", "AWS refuses PutItem for the moment"),
        ("SlowDown", "GetObject", "AWS refuses GetObject for the moment"),
        ("ResourceNotFoundException", "BatchGetItem", "there is no table atoll-metadata"),
        ("StateMachineDoesNotExist", "StartExecution", "the slice's state machine does not exist"),
        ("ValidationException", "Query", "AWS answered Query with ValidationException: user/x may not"),
    ],
)
def test_answers_of_aws_are_explained_with_a_remedy(code: str, operation: str, said: str) -> None:
    error = explain_aws(ClientError({"Error": {"Code": code, "Message": "user/x may not."}}, operation))
    assert error.what.startswith(said) and error.remedy
    assert isinstance(error, RetryLater) == ("for the moment" in said)


def test_an_interrupt_ends_quietly(atoll: Atoll, ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shared_metadata.store.reader.MetadataReader.active_version", interrupted)
    result = atoll("status")
    assert result.exit_code == 130 and result.stderr.strip() == "interrupted"


def test_a_reader_that_has_gone_is_no_error_to_see(folder: Path) -> None:
    """`atoll check --json | head -1`."""
    code = "import sys, console.main; sys.argv = ['atoll', '--help']; console.main.main()"
    script = f'{sys.executable} -c "{code}" | true'
    found = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in found.stderr and "BrokenPipe" not in found.stderr


@pytest.mark.parametrize("verb", [[name] for name in VERBS] + [["local", name] for name in ("up", "status", "env", "down")])
def test_every_help_has_an_example(atoll: Atoll, verb: list[str]) -> None:
    result = atoll(*verb, "--help")
    assert result.exit_code == 0 and f"  atoll {' '.join(verb)}" in result.stdout.replace('eval "$(', "")


def test_every_verb_is_one_line_of_the_help(atoll: Atoll) -> None:
    text = atoll("--help").stdout
    commands = text[text.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in commands] == list(VERBS)
    assert all(line.endswith(".") and not line.endswith("...") for line in commands)
    assert "Exit codes:" in text


def test_a_wrong_option_is_exit_code_2(atoll: Atoll) -> None:
    assert atoll("check", "--nope").exit_code == 2


def test_every_verb_asks_with_a_client_that_tries_again_and_keeps_nobody_waiting(empty_account: None) -> None:
    """Made in one place; only the call of a function that may take minutes has one of its own."""
    made = open_target(None).client("ssm").meta.config
    assert (made.retries["mode"], made.retries["total_max_attempts"], made.connect_timeout) == ("standard", 4, 5)
    texts = {path.name: path.read_text() for path in Path(console.__file__).parent.glob("*.py")}
    assert {name for name, text in texts.items() if "session.client(" in text or "boto3.client(" in text} == {"function_call.py"}
