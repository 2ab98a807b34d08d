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
from infra.metadata_stack import SharedMetadataStack
from infra.network import NetworkStack
from infra.settings import Settings
from language import ProgramErrors, compile_program
from shared_metadata.errors import AtollError
from shared_metadata.program import Program
from slices.registry import installed

# The CDK's own switches. They stand here and in no project's cdk.json, because they belong to the version of Atoll.
FLAGS: Mapping[str, Any] = {
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:target-partitions": ["aws", "aws-cn", "aws-us-gov"],
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-s3:createDefaultLoggingPolicy": True,
    "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": True,
}

# What functions call inside a VPC beside S3 and DynamoDB; an interface endpoint costs money every hour, so no more than these.
ENDPOINTS = {"conductor": ("states", "sns"), "collect": ("secretsmanager",), "organize": ("glue",), "harness": ("secretsmanager",)}


def read_program(names: str) -> Program:
    """The compiled program of these files. Ends the app with the diagnostics when there are any."""
    try:
        return compile_program(read_sources([*filter(None, map(str.strip, names.split(",")))]), installed())
    except AtollError as error:
        sys.exit(f"{error}\n help: -c program=<file or folder> gives another program")
    except ProgramErrors as error:
        sys.exit(str(error))


def add_stacks(app: cdk.App, program: Program, settings: Settings) -> list[cdk.Stack]:
    """SharedMetadata, Conductor, and a stack for each slice that the program uses; with them a Network if one is asked for."""
    place = {"env": cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION"))}
    metadata = SharedMetadataStack(app, settings, **place)
    below: list[cdk.Stack] = [metadata]
    if settings.own_vpc:
        stages = {"conductor", *(name.split(".")[0] for name in program.slice_ids)}
        network = NetworkStack(app, tuple(sorted({name for stage in stages for name in ENDPOINTS[stage]})), settings, **place)
        network.add_stack_dependency(metadata)
        below.append(network)
    above: list[cdk.Stack] = [ConductorStack(app, program, settings, **place)]
    for slice_id in program.slice_ids:
        module = importlib.import_module(f"slices.{slice_id}.stack")
        above.append(module.SliceStack(app, program, settings, **place))
    for stack in above:
        for lower in below:
            stack.add_stack_dependency(lower)
    return [*below, *above]


def make_app(program: Program, settings: Settings, context: Mapping[str, Any] | None = None, **app_settings: Any) -> cdk.App:
    """The app, checked by cdk-nag when it is synthesised."""
    app = cdk.App(context={**FLAGS, **(context or {})}, **app_settings)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    add_stacks(app, program, settings)
    return app


def main() -> None:
    context = cdk.App().node.try_get_context
    program = read_program(context("program") or DEFAULT_PROGRAM)
    try:
        app = make_app(program, Settings.of_context(context))
    except ValueError as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
