"""The CDK app, which a project's cdk.json names: reads the data program and synthesises the stacks of the slices it uses.

cdk deploy --all                            # everything the program needs
cdk deploy CollectSalesforceSlice           # one slice and what it stands on
cdk deploy --all -c program=my/program.sql  # another program; several files or folders are separated by commas
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from conductor.stack import ConductorStack
from console.deploy_hint import DEFAULT_PROGRAM
from console.project import read_sources
from console.stacks import below, stack_ids
from infra.metadata_stack import SharedMetadataStack
from infra.network import NetworkStack
from infra.settings import Settings, program_files
from language import ProgramErrors, compile_program
from language.text.diagnostics import did_you_mean
from shared_metadata import naming
from shared_metadata.contract import made_for
from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import AtollError
from shared_metadata.program import Program
from slices.registry import installed

# The CDK's own switches. They belong to the version of Atoll, so they stand here and in no project's cdk.json.
FLAGS: Mapping[str, Any] = {
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:target-partitions": ["aws", "aws-cn", "aws-us-gov"],
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-s3:createDefaultLoggingPolicy": True,
    "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": True,
}

# The services that functions in a VPC call beside S3, DynamoDB and what their slices declare; each interface endpoint costs money
# every hour.
ENDPOINTS = {"conductor": ("states", "sns"), "collect": ("secretsmanager",), "harness": ("secretsmanager",)}
# … and that Fargate calls from there: https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
IMAGES = ("ecr.api", "ecr.dkr", "logs")


def read_program(names: str) -> Program:
    """The compiled program of these files. Ends the app with the diagnostics when there are any."""
    try:
        return compile_program(read_sources([*filter(None, map(str.strip, names.split(",")))]), installed())
    except AtollError as error:
        sys.exit(f"{error}\n help: -c program=<file or folder> gives another program")
    except ProgramErrors as error:
        sys.exit(str(error))


def add_stacks(app: cdk.App, program: Program, settings: Settings) -> list[cdk.Stack]:
    """Adds the stacks of `stack_ids`, of which the first stand below all others."""
    place = {"env": cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION"))}
    made = [_stack(app, id, program, settings, place) for id in stack_ids(program, settings)]
    for at, stack in enumerate(made):
        for lower in made[: min(at, len(below(settings)))]:
            stack.add_stack_dependency(lower)
    return made


def _stack(app: cdk.App, id: str, program: Program, settings: Settings, place: Mapping[str, Any]) -> cdk.Stack:
    if id == naming.METADATA_STACK:
        return SharedMetadataStack(app, settings, **place)
    if id == naming.NETWORK_STACK:
        return NetworkStack(app, _endpoints(program), settings, **place)
    if id == naming.CONDUCTOR_STACK:
        return ConductorStack(app, program, settings, **place)
    slice_ = next(slice_ for slice_ in installed().values() if slice_.stack_name == id)
    which = {"declaration": slice_} if slice_.code else {}  # of all whose stack is the same
    made: cdk.Stack = importlib.import_module(f"{slice_.package}.stack").SliceStack(app, program, settings, **which, **place)
    return made


def _endpoints(program: Program) -> tuple[str, ...]:
    """The services that need an endpoint where the program's slices stand in a VPC."""
    slices = [installed()[name] for name in program.slice_ids]
    stages = {"conductor", *(one.stage for one in slices)}
    by_stage = {name for stage in stages for name in ENDPOINTS.get(stage, ())}
    with_tasks = IMAGES if any(made_for.tasks(one, program) for one in slices) else ()
    return tuple(sorted(by_stage.union(with_tasks, *(_endpoint_names(one) for one in slices))))


def _endpoint_names(declaration: Slice) -> tuple[str, ...]:
    return tuple(dict(declaration.endpoints).get(name, name) for name in declaration.services)


def make_app(program: Program, settings: Settings, context: Mapping[str, Any] | None = None, **app_settings: Any) -> cdk.App:
    """The app, checked by cdk-nag when it is synthesised."""
    slices = [installed()[name] for name in program.slice_ids]
    settings.sizes.check(slices, did_you_mean)
    settings = settings.for_program(program, slices)
    app = cdk.App(context={**FLAGS, **(context or {})}, **app_settings)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    add_stacks(app, program, settings)
    return app


def main() -> None:
    context = cdk.App().node.try_get_context
    try:
        app = make_app(read_program(program_files(context) or DEFAULT_PROGRAM), Settings.of_context(context))
    except ValueError as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
