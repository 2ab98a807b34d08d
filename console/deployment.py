"""The deployment of the current folder: the stacks of its program, with their account and their CDK."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from console.again import again
from console.context import CDK_JSON, Context, read_context
from console.project import read_sources, show_errors
from console.reserve import OPTION, reserved
from console.stacks import known_ids, stack_ids
from console.target import LOCAL, Target, open_target
from infra.concurrency import CONDUCTOR
from language import ProgramErrors, compile_program
from language.text.diagnostics import did_you_mean
from shared_metadata import naming
from shared_metadata.aws.later import Refusal, refusal
from shared_metadata.errors import DefinitionError, InputError
from slices.registry import installed

# https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html
_QUALIFIER, _USUAL_QUALIFIER = "@aws-cdk/core:bootstrapQualifier", "hnb659fds"


@dataclass(frozen=True)
class Deployment:
    """stacks: all that the program needs under these settings, by their names for users."""

    target: Target
    stacks: tuple[str, ...]
    context: Context

    @property
    def local(self) -> bool:
        return self.target.profile == LOCAL

    @property
    def asks(self) -> bool:
        """Whether to ask before granting permissions: not in the embedded AWS."""
        return not self.local

    @property
    def place(self) -> str:
        return "the embedded AWS" if self.local else f"account {self.target.account}, region {self.target.region}"

    def chosen(self, names: Sequence[str]) -> list[str]:
        """The chosen stacks. Raises InputError for a name that is none of the program's."""
        for name in names:
            if name not in self.stacks:
                raise InputError(f"the program has no stack {name!r}", remedy=self._meant(name))
        return list(names or self.stacks)

    def _meant(self, name: str) -> str:
        """The remedy for a stack that the program does not have."""
        listed = f"it has {', '.join(self.stacks)}"
        if name == naming.NETWORK_STACK:
            return f"-c vpc=true, or write it into {CDK_JSON}; without it {listed}"
        others = {slice_.stack_name: slice_.id for slice_ in installed().values()}
        if name not in others:
            return did_you_mean(name, self.stacks) + listed
        client = self.target.client("ssm")
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

        cdk_command.command(Path.cwd(), say)  # the remedy names it
        mark = f"/cdk-bootstrap/{self.context.get(_QUALIFIER) or _USUAL_QUALIFIER}/version"
        try:
            self.target.client("ssm").get_parameter(Name=mark)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                return  # a caller who may not read it may still deploy by the roles of the CDK, which itself reports what is missing
            profile = "" if self.target.profile == "default" else f" --profile {self.target.profile}"
            raise DefinitionError(
                f"{self.place} was never made ready for the CDK",
                remedy=f"npx cdk bootstrap aws://{self.target.account}/{self.target.region}{profile}",
            ) from None

    def with_reserve(self, tell: Callable[[str], None]) -> Deployment:
        """Reserves executions for the conductor alone, where the account has enough and the settings do not say otherwise."""
        ceilings = self.context.settings.ceilings
        if self.local or ceilings.installation or CONDUCTOR in ceilings.slices:
            return self
        value, told = reserved(self.target.client("lambda"), str(self.context.get(OPTION) or ""))
        if told:
            tell(told)
        return replace(self, context=replace(self.context, given={**self.context.given, OPTION: value})) if value else self

    def taken_down_by(self, name: str) -> str:
        """The command that takes down an existing stack, whether the program has it or not."""
        if name in self.stacks:
            return again(f"atoll destroy {name}")
        if name == naming.NETWORK_STACK:
            return again(f"atoll destroy {name} -c vpc=true")
        return f"aws cloudformation delete-stack --stack-name {self.context.settings.stack_name(name)}"

    def standing(self) -> set[str] | None:
        """The existing stacks of Atoll in CloudFormation, however they were deployed; None where it may not be read."""
        from botocore.exceptions import ClientError

        settings = self.context.settings
        ids = {settings.stack_name(id): id for id in known_ids()}
        try:
            pages = self.target.client("cloudformation").get_paginator("describe_stacks").paginate()
            return {ids[stack["StackName"]] for page in pages for stack in page["Stacks"] if stack["StackName"] in ids}
        except ClientError as error:
            if refusal(error) != Refusal.DENIED:
                raise
            return None  # a caller who may not look may still deploy by the roles of the CDK

    def run(self, arguments: Sequence[str], follow: Callable[[str], None] = lambda _: None, *, attached: bool = False) -> None:
        """Runs `cdk <arguments>` for this program and account. Raises CdkError."""
        from infra import cdk_command

        settings = [part for name, value in self.context.given.items() for part in ("--context", f"{name}={value}")]
        profile = [] if self.target.profile in (LOCAL, "default") else ["--profile", self.target.profile]
        cdk_command.run([*arguments, *settings, *profile], self._environment(), follow, attached=attached)

    def _environment(self) -> dict[str, str]:
        if self.local:
            from infra import embedded

            return embedded.up(Path.cwd()).process_environment()
        return {**os.environ, "AWS_REGION": self.target.region}


def open_deployment(files: Sequence[str], given: Sequence[str], profile: str | None, as_json: bool) -> Deployment:
    """The deployment of the program's files, else of those in `-c` or cdk.json; shows mistakes and ends. Raises InputError."""
    if not CDK_JSON.exists():
        raise InputError("there is no cdk.json here: this folder is no project", remedy="atoll init, or go to the project")
    context = read_context(given, files)
    try:
        # compiled like the CDK's app, without types: a slice has to be deployed before it can discover them
        program = compile_program(read_sources([*filter(None, map(str.strip, context.program.split(",")))]), installed())
    except ProgramErrors as errors:
        show_errors(errors, as_json)
    return Deployment(open_target(profile), stack_ids(program, context.settings), context)
