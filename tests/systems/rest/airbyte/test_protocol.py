"""What a process that reads may say, and what becomes of it: it is another program's, and may say anything, or end at any place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, SecretError
from systems.rest.airbyte import process
from systems.rest.airbyte.process import Kit

DOCUMENT: Mapping[str, Any] = {"homes": ["source_things"], "code": {"components.py": ""}}
TOLD = '=failed {"kind": "error", "error": "%s", "status": %d, "failure": ""%s}'
AT = ', "file": "source_things/components.py", "line": 12, "function": "transform"'
MISSING = ', "missing": "%s"'
Said = Callable[[str], Kit]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """A process that runs this code, and then ends."""

    def kit(code: str) -> Kit:
        (tmp_path / "__main__.py").write_text(f"import os, sys\n{code}\n")
        return Kit("things", DOCUMENT, place="here", reference="out")

    monkeypatch.setattr(process, "RUNNER", tmp_path)
    return kit


@pytest.mark.parametrize(
    ("line", "kind", "told"),
    [
        (
            TOLD % ("KeyError", 0, AT),
            DefinitionError,
            "slices/collect/things/components.py:12: transform of its code raises KeyError",
        ),
        (TOLD % ("KeyError", 500, AT), RetryLater, "raises KeyError after an answer with 500"),
        (TOLD % ("Error", 401, ""), SecretError, "here: the API refuses the secret out: 401"),
        (TOLD % ("Error", 403, AT), SecretError, "the API refuses the secret out: 403"),
        (TOLD % ("Error", 404, ""), DefinitionError, "airbyte-cdk fails: Error after an answer with 404"),
        (TOLD % ("ConnectionError", 0, ""), RetryLater, "airbyte-cdk fails: ConnectionError"),
        (TOLD % ("ValueError", 0, ""), DefinitionError, "airbyte-cdk fails: ValueError"),
        (
            TOLD % ("ModuleNotFoundError", 0, AT + MISSING % "pendulum"),
            DefinitionError,
            "its code needs pendulum, which is not among its",
        ),
        (
            TOLD % ("ModuleNotFoundError", 0, MISSING % "source_things.more"),
            DefinitionError,
            "names source_things.more, which no file beside it has",
        ),
        (
            TOLD % ("ImportError", 0, AT + MISSING % "airbyte_cdk.models.Old"),
            DefinitionError,
            "components.py:12: its code needs airbyte_cdk.models.Old, which this airbyte-cdk has not",
        ),
        (
            '=failed {"kind": "host", "host": "evil.example"}',
            DefinitionError,
            "would go to evil.example, which the manifest does not",
        ),
        ('=failed {"kind": "clear", "host": "a.example"}', DefinitionError, "a request to a.example is not encrypted"),
        (TOLD % ("JSONDecodeError", 0, AT), RetryLater, "transform of its code raises JSONDecodeError"),
        ('=failed {"kind": "garbled", "status": 200}', RetryLater, "the API answers 200 with what is no JSON"),
        ('=failed {"kind": "rotates"}', DefinitionError, "takes a new refresh token for each"),
        ('=failed {"kind": "pause", "seconds": 90, "status": 429}', RetryLater, "asks for a pause of 90 s with 429"),
    ],
)
def test_a_failure_is_told_with_its_cause_and_its_remedy(said: Said, line: str, kind: type[AtollError], told: str) -> None:
    with said(f"print({line!r}, flush=True)") as kit, pytest.raises(kind) as failed:
        list(kit.lines({}))
    assert told in str(failed.value) and failed.value.remedy and type(failed.value) is kind


@pytest.mark.parametrize("code", ["sys.exit(3)", "os.kill(os.getpid(), 9)", "sys.exit(0)", "print('{\"id\": 1', end='')"])
def test_a_process_that_ends_without_a_word_is_tried_again(said: Said, code: str) -> None:
    with said(code) as kit, pytest.raises(RetryLater, match=r"airbyte-cdk (ended with exit code|was killed by signal)"):
        list(kit.lines({}))


def test_its_log_is_told_by_the_name_of_an_error_alone(said: Said) -> None:
    with said("sys.exit('MemoryError: hidden-row')") as kit, pytest.raises(RetryLater) as failed:
        list(kit.lines({}))
    assert "(MemoryError)" in str(failed.value) and "hidden" not in str(failed.value)


@pytest.mark.security
def test_it_has_nothing_of_the_functions_keys_and_the_secret_stands_in_nothing_that_others_read(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-key")
    look = (
        "job = sys.stdin.readline()\nfound = [*os.environ.values(), *sys.argv]\n"
        "files = [os.path.join(at, file) for at, _, files in os.walk('.') for file in files if '__main__' not in file]\n"
        "found += [open(file, errors='replace').read() for file in files]\n"
        "hidden = [one for one in found if 'hidden' in one]\n"
        "print('hidden-secret' in job, hidden, 'AWS_SECRET_ACCESS_KEY' in os.environ, flush=True)\n"
        "print('=done', flush=True)"
    )
    with said(look) as kit:
        assert [*kit.lines({"config": {"token": "hidden-secret"}})] == [b"True [] False\n"]


def test_a_record_that_is_too_long_is_refused(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_LINE_BYTES", 1_000)
    with said("print('x' * 2_000)") as kit, pytest.raises(DefinitionError, match="a record is longer than"):
        list(kit.lines({}))


def test_it_runs_by_the_interpreter_of_the_function(said: Said) -> None:
    with said("print(sys.executable, flush=True); print('=done', flush=True)") as kit:
        assert [line.decode().strip() for line in kit.lines({})] == [sys.executable]
