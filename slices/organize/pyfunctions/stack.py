"""The stack OrganizePythonSlice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import Duration
from constructs import Construct

from infra.apart import Apart
from infra.bundling import LAMBDA, Bundle
from infra.functions import AtollFunction, FunctionSettings
from infra.settings import Settings
from infra.slice_bundle import requirements_of
from infra.slice_stack import in_code
from shared_metadata import naming
from shared_metadata.contract import made_for
from shared_metadata.program import Call, Program
from slices.organize.pyfunctions.config import FunctionOptions
from slices.organize.pyfunctions.logic import Handler, step
from slices.organize.pyfunctions.slice import SLICE
from slices.organize.pyfunctions.workflow import workflow
from systems.iceberg.stack import LakeStack

CODE = "slices/organize/pyfunctions"
GIVEN = "the rows that this function is given, in the places of the batches that call it"
GIVES = "the rows that this function gives, in the places of the batches that call it"
TMP_MB = 4096


class SliceStack(LakeStack):
    """The lake's steps, and a Lambda for each function of the program, which alone runs its code and reads what that is given."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, **stack_settings)

    def engine(self) -> None:
        calls: dict[str, tuple[Call, list[str]]] = {}
        for call, flow in made_for.calls(SLICE, self.program):
            calls.setdefault(call.function, (call, []))[1].append(flow)
        for name in sorted(calls):
            made = self._of_function(*calls[name])
            self.steps["refresh"].allow(["lambda:InvokeFunction"], [made.function.function_arn])

    def _of_function(self, call: Call, flows: list[str]) -> AtollFunction:
        options = FunctionOptions.read(call.options, place=f"the function {call.function} ({call.position})")
        name = naming.function(SLICE.id, step(call.function))
        wanted = FunctionSettings(
            name,
            f"{CODE.replace('/', '.')}.function.handler.handle",
            self._bundle(name, Handler.of(options.handler)),
            options.memory_mb,
            options.timeout_seconds + 30,  # in which it brings rows, and says that its code did not end
            TMP_MB,
            {"POWERTOOLS_SERVICE_NAME": SLICE.id},
            reserved=self.reserved(in_code(call.function)),
        )
        made = AtollFunction(self, f"Function-{call.function}", wanted, self.settings, self.network)
        made.function.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(5))
        places = [f"{self.staging}{flow.replace(':', '/')}/*/{call.function}-*/" for flow in sorted(set(flows))]
        made.allow(["s3:GetObject"], [self.places.objects(f"{place}in/") for place in places], GIVEN)
        made.use_key("s3", "kms:Decrypt")
        made.put_objects([f"{place}out/" for place in places], GIVES)
        return made

    def _bundle(self, name: str, handler: Handler) -> Bundle:
        host, packages = self.settings.host_dependencies, Path(handler.requirements)
        requirements = None if host else requirements_of(f"{CODE}/function")
        platform = None if host else (LAMBDA.name, LAMBDA.python)
        apart = Apart(packages.resolve(), (), platform) if packages.is_file() else None
        return Bundle(name, ("shared_metadata", CODE), requirements, apart=apart, whole=(handler.folder,))
