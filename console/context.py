"""The settings of a project's stacks: `-c` and `--program` over cdk.json, as the CDK reads both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.deploy_hint import DEFAULT_PROGRAM
from console.given_files import json_object, json_text
from infra.settings import Settings, program_files
from shared_metadata.errors import InputError

CDK_JSON = Path("cdk.json")
_REMEDY = '{"app": "atoll-app", "context": {"program": "program.sql"}} is what `atoll init` writes'


@dataclass(frozen=True)
class Context:
    """The settings by place. given: this command's options, which are handed on to the CDK.  project: those of cdk.json."""

    given: Mapping[str, str]
    project: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """The value that holds; None for an absent one."""
        return self.given.get(name, self.project.get(name))

    @property
    def program(self) -> str:
        """The program's files, separated by commas. Raises InputError."""
        try:
            return program_files(self.get) or DEFAULT_PROGRAM
        except ValueError as error:
            raise InputError(str(error), remedy=f"correct it, or the `context` of {CDK_JSON}") from None

    @property
    def settings(self) -> Settings:
        """The settings of the stacks. Raises InputError for a value that they do not accept."""
        try:
            return Settings.of_context(self.get)
        except ValueError as error:
            raise InputError(str(error), remedy=f"correct it, or the `context` of {CDK_JSON}; docs/deploying.md lists all") from None


def read_context(given: Sequence[str] = (), files: Sequence[str] = ()) -> Context:
    """Reads the settings; `files`, the program's, hold over all else. given: 'name=value', the last of a name holds. Raises
    InputError.
    """
    values = dict(map(_pair, given)) | ({"program": ",".join(files)} if files else {})
    return Context(values, _of_project() if CDK_JSON.exists() else {})


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name and equals):
        raise InputError(f"-c {given} sets nothing", remedy="-c NAME=VALUE; docs/deploying.md lists all")
    return name, value


def _of_project() -> Mapping[str, Any]:
    try:
        data = CDK_JSON.read_bytes()
    except OSError as error:
        raise InputError(f"{CDK_JSON} cannot be read: {error.strerror}", remedy="see its permissions") from error
    context = json_object(json_text(data, str(CDK_JSON)), str(CDK_JSON), _REMEDY).get("context", {})
    if not isinstance(context, dict):
        raise InputError("its `context` is no object", place=str(CDK_JSON), remedy=_REMEDY)
    return context
