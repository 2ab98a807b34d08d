"""What is deployed from the current folder: the stacks of its program, with the account they go to and the CDK that makes them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.deploy_hint import DEFAULT_PROGRAM
from console.project import read_sources, show_errors
from console.target import LOCAL, Target, open_target
from language import ProgramErrors, compile_program
from language.diagnostics import did_you_mean
from shared_metadata import naming
from shared_metadata.errors import DefinitionError, InputError
from slices.registry import installed

CDK_JSON = Path("cdk.json")
NETWORK = "Network"  # with `-c vpc=true` or `cdk.json` asking for it
# https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html
_QUALIFIER = "@aws-cdk/core:bootstrapQualifier"


@dataclass(frozen=True)
class Deployment:
    """stacks: all that the program needs, by the names that users type.  context: 'name=value', as after `cdk -c`."""

    target: Target
    stacks: tuple[str, ...]
    context: tuple[str, ...]

    @property
    def local(self) -> bool:
        return self.target.profile == LOCAL

    @property
    def asks(self) -> bool:
        """Whether what is granted there is somebody's affair: not in the embedded AWS."""
        return not self.local

    @property
    def place(self) -> str:
        return "the embedded AWS" if self.local else f"account {self.target.account}, region {self.target.region}"

    def chosen(self, names: Sequence[str]) -> list[str]:
        """The stacks to be worked on. Raises InputError for a name that is none of the program's."""
        for name in names:
            if name not in self.stacks and name != NETWORK:
                raise InputError(f"the program has no stack {name!r}", remedy=self._meant(name))
        return list(names or self.stacks)

    def _meant(self, name: str) -> str:
        """What to do about a stack that the program does not have."""
        listed = f"it has {', '.join(self.stacks)}"
        others = {slice_.stack_name: slice_.id for slice_ in installed().values()}
        if name not in others:
            return did_you_mean(name, self.stacks) + listed
        client = self.target.session.client("ssm")
        there = client.get_parameters(Names=[naming.parameter("slices", others[name])])["Parameters"]
        left = [f"`aws cloudformation delete-stack --stack-name {json.loads(p['Value'])['stack']}` takes it down" for p in there]
        return "; ".join(["no statement needs it", *left, listed])

    def prepare(self, say: Callable[[str], None]) -> None:
        """Makes the embedded AWS ready for the CDK; raises DefinitionError for an account that never was."""
        if self.local:
            from infra import embedded

            embedded.bootstrap(embedded.up(Path.cwd()), say)
            return
        from botocore.exceptions import ClientError

        from infra import cdk_command

        cdk_command.command(Path.cwd(), say)  # which the remedy names
        try:
            self.target.session.client("ssm").get_parameter(Name=f"/cdk-bootstrap/{_context(_QUALIFIER) or 'hnb659fds'}/version")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                return  # who may not read it may still deploy by the roles of the CDK, which says by itself what is missing
            profile = "" if self.target.profile == "default" else f" --profile {self.target.profile}"
            raise DefinitionError(
                f"{self.place} was never made ready for the CDK",
                remedy=f"npx cdk bootstrap aws://{self.target.account}/{self.target.region}{profile}",
            ) from None

    def run(self, arguments: Sequence[str], follow: Callable[[str], None] = lambda _: None, *, attached: bool = False) -> None:
        """Runs `cdk <arguments>` for this program and account. Raises CdkError."""
        from infra import cdk_command

        settings = [part for value in self.context for part in ("--context", value)]
        profile = [] if self.target.profile in (LOCAL, "default") else ["--profile", self.target.profile]
        cdk_command.run([*arguments, *settings, *profile], self._environment(), follow, attached=attached)

    def _environment(self) -> dict[str, str]:
        if self.local:
            from infra import embedded

            return embedded.up(Path.cwd()).process_environment()
        return {**os.environ, "AWS_REGION": self.target.region}


def program_here() -> str:
    """The files of this folder's program, separated by commas: those of cdk.json, or the default."""
    return (_context("program") if CDK_JSON.exists() else "") or DEFAULT_PROGRAM


def open_deployment(files: Sequence[str], context: Sequence[str], profile: str | None, as_json: bool) -> Deployment:
    """Of the program's files, or else of what cdk.json says; with mistakes, shows them and ends. Raises InputError."""
    if not CDK_JSON.exists():
        raise InputError("there is no cdk.json here: this folder is no project", remedy="atoll init, or go to the project")
    names = ",".join(files) or program_here()
    try:
        # as the CDK's app compiles it, without types: a slice has to be deployed before it can tell them
        program = compile_program(read_sources([name.strip() for name in names.split(",")]), installed())
    except ProgramErrors as errors:
        show_errors(errors, as_json)
    slices = [installed()[slice_id].stack_name for slice_id in program.slice_ids]
    settings = (*((f"program={names}",) if files else ()), *context)
    return Deployment(open_target(profile), (naming.METADATA_STACK, naming.CONDUCTOR_STACK, *slices), settings)


def _context(name: str) -> str:
    return str(_cdk_json().get("context", {}).get(name, ""))


def _cdk_json() -> dict[str, Any]:
    try:
        return json.loads(CDK_JSON.read_text())  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise InputError("this cannot be read as JSON", place=str(CDK_JSON), remedy="correct it") from error
