"""The CDK app: reads the data program and synthesises the stacks of the slices it uses.

cdk deploy --all                            # everything the program needs
cdk deploy CollectSalesforceSlice           # one slice and what it stands on
cdk deploy --all -c program=my/program.sql  # another program; several files are separated by commas
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from conductor.stack import ConductorStack
from infra.metadata_stack import SharedMetadataStack
from infra.network import NetworkStack
from infra.settings import Settings
from language import ProgramErrors, compile_program
from shared_metadata.program import Program
from slices.registry import installed

DEFAULT_PROGRAM = "examples/airline/program.sql"

# What functions call inside a VPC beside S3 and DynamoDB; an interface endpoint costs money every hour, so no more than these.
ENDPOINTS = {"conductor": ("states", "sns"), "collect": ("secretsmanager",), "organize": ("glue",), "harness": ("secretsmanager",)}


def read_program(names: str) -> Program:
    """The compiled program of these files. Ends the app with the diagnostics when there are any."""
    try:
        sources = {name: Path(name).read_text() for name in filter(None, map(str.strip, names.split(",")))}
        return compile_program(sources, installed())
    except OSError as error:
        sys.exit(f"the program {error.filename} cannot be read: {error.strerror}; give another with -c program=<file>")
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


def make_app(program: Program, settings: Settings, **app_settings: Any) -> cdk.App:
    """The app, checked by cdk-nag when it is synthesised."""
    app = cdk.App(**app_settings)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    add_stacks(app, program, settings)
    return app


def main() -> None:
    context = cdk.App().node.try_get_context
    program = read_program(context("program") or os.environ.get("ATOLL_PROGRAM") or DEFAULT_PROGRAM)
    try:
        app = make_app(program, Settings.of_context(context))
    except ValueError as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
