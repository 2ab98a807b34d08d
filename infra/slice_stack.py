"""What every slice's stack is made of; a slice's own `stack.py` says only its steps, their sizes and their grants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.acknowledge import acknowledge_resources
from infra.atoll_stack import AtollStack
from infra.clock import every
from infra.concurrency import of_functions
from infra.functions import AtollFunction, FunctionSettings, MadeLayer
from infra.machines import machine_role, state_machine
from infra.network import network_of
from infra.operations import alarm, slice_dashboard
from infra.places import Places
from infra.settings import Settings
from infra.slice_bundle import made_beside, slice_bundle
from infra.workflows import Machine
from shared_metadata import naming
from shared_metadata.contract import discovery, landed, made_for, receiving
from shared_metadata.contract.declaration import Slice, declared
from shared_metadata.contract.maintenance import step as maintenance
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.program import Program
from shared_metadata.store import access

if TYPE_CHECKING:
    from infra.tasks import SliceTasks

Workflow = Callable[[Machine], dict[str, Any]]
OWN_STAGING = "the objects below the slice's own staging prefix, whose keys hold batches and tokens"
HISTORY = "records of batches that have aged, which nobody deletes"
DISCOVER_MEMORY_MB, DISCOVER_TIMEOUT_SECONDS = 256, 300
LANDED_TIMEOUT_SECONDS = 300
# What a slice plans beside one another runs so; a Map has no more at once:
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-asl-use-map-state-inline.html
PARTS_AT_ONCE = 40
MAINTAIN_TIMEOUT_SECONDS = 900
BESIDE = (discovery.STEP, landed.STEP, maintenance.STEP)  # functions that take part in no batch, and are called now and then
NO_STEPS = (*BESIDE, receiving.STEP)
SYNC_RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"


def in_code(function: str) -> str:
    """What the function of a program's is called among those of its slice: no step's name."""
    return f"function {function}"


class SliceStack(AtollStack):
    """Functions, state machine, alarm and dashboard of one slice.

    reaches_internet: the source is on the internet, so the functions stay out of a VPC, which has no NAT.
    """

    def __init__(
        self,
        scope: Construct,
        declaration: Slice,
        program: Program,
        settings: Settings,
        *,
        reaches_internet: bool = False,
        **stack_settings: Any,
    ) -> None:
        super().__init__(scope, declaration.stack_name, settings, f"Atoll: {declaration.id}", **stack_settings)
        self.declaration, self.program = declaration, program
        self.places = Places(self)
        self.staging = naming.staging_prefix(declaration.id)
        self.steps: dict[str, AtollFunction] = {}
        self._given: dict[str, dict[str, int]] = {}
        self._tasks: SliceTasks | None = None
        self.network = None if reaches_internet else network_of(self, settings)
        self._reserved = self._reserves()
        made = made_beside(declaration)
        self._made = MadeLayer(self, made) if made else None

    def _reserves(self) -> dict[str, int]:
        """How many of each function may run at once; of those of a slice without a ceiling nothing is said."""
        ceiling = self.settings.reserved.get(self.declaration.id)
        if ceiling is None:
            return {}
        beside = [name for name in self.declaration.steps if name in BESIDE]
        working = [name for name in self.declaration.steps if name not in BESIDE]
        working += map(in_code, made_for.functions(self.declaration, self.program))
        return of_functions(ceiling, self.declaration.id, working, beside)

    def reserved(self, function: str) -> int | None:
        """How many of a function may run at once; None where nothing is said.  function: a step's name, or of `in_code`."""
        return self._reserved.get(function)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret references of the program's connections that this slice opens."""
        return made_for.secrets(self.declaration, self.program)

    @property
    def rotating_secrets(self) -> tuple[str, ...]:
        """The secrets whose grant is replaced at each use."""
        return made_for.rotating_secrets(self.declaration, self.program)

    @property
    def mask_keys(self) -> tuple[str, ...]:
        """The secret references of the keys by which this slice hashes columns."""
        return made_for.mask_keys(self.declaration, self.program)

    @property
    def staged(self) -> list[str]:
        """The prefixes below which other slices stage what this one reads."""
        return [naming.staging_prefix(name) for name in made_for.staged_by(self.declaration, self.program)]

    def step(self, name: str, *, memory_mb: int, timeout_seconds: int, data: bool, tmp_mb: int = 512) -> AtollFunction:
        """The function of one step.  data: it works with rows, so its bundle has the packages for that."""
        made = self._function(name, memory_mb, timeout_seconds, tmp_mb, data, rows=data)
        made.use_metadata(access.of_step(self.declaration.stage, name) | access.Access(reads=self.declaration.reads_in(name)))
        return made

    def discover(self, *, data: bool, memory_mb: int = DISCOVER_MEMORY_MB) -> AtollFunction:
        """The function that `atoll discover` calls: it opens the connections and writes what it sees, and takes part in no batch."""
        made = self._function(discovery.STEP, memory_mb, DISCOVER_TIMEOUT_SECONDS, 512, data)
        made.use_metadata(access.of_step(self.declaration.stage, discovery.STEP))
        if not self.declaration.secret_for:
            made.read_secrets(self.secrets)
            made.rotate_secrets(self.rotating_secrets)
        return made

    def maintain(self, *, memory_mb: int, tmp_mb: int) -> AtollFunction:
        """The function that looks after the warehouse's tables once an hour; most of its calls find nothing due."""
        made = self._function(maintenance.STEP, memory_mb, MAINTAIN_TIMEOUT_SECONDS, tmp_mb, data=True, rows=True)
        made.use_metadata(access.of_step(self.declaration.stage, maintenance.STEP))
        made.put_objects([naming.HISTORY], HISTORY)
        every(self, Duration.hours(1), naming.function(self.declaration.id, maintenance.STEP), made.function)
        failed = made.function.metric_errors(period=Duration.hours(1))
        alarm(self, "MaintenanceFailed", failed, "Tables could not be maintained: `atoll logs` says which and why")
        return made

    def landed(self, *, memory_mb: int) -> AtollFunction:
        """The function that `atoll state verify` calls: it reads which batches are there, and no metadata."""
        return self._function(landed.STEP, memory_mb, LANDED_TIMEOUT_SECONDS, 512, data=True)

    def receive(self, *, memory_mb: int, timeout_seconds: int) -> AtollFunction:
        """The function that takes what others send to the slice's endpoint: it knows no metadata, and has no library for rows."""
        return self._function(receiving.STEP, memory_mb, timeout_seconds, 512, data=False)

    def _function(
        self, name: str, memory_mb: int, timeout_seconds: int, tmp_mb: int, data: bool, *, rows: bool = False
    ) -> AtollFunction:
        """A function, of these sizes unless the installation says others.  rows: what that says of the slice holds for it too."""
        sizes = self.settings.sizes
        memory_mb = sizes.memory_mb(self.declaration.id, name, memory_mb, rows=rows)
        tmp_mb = sizes.tmp_mb(self.declaration.id, name, tmp_mb, rows=rows)
        self._given[name] = {"memory_mb": memory_mb, "tmp_mb": tmp_mb, "seconds": timeout_seconds}
        wanted = FunctionSettings(
            naming.function(self.declaration.id, name),
            f"{self.declaration.package}.handlers.{name}",
            slice_bundle(self.declaration, self.settings, data=data),
            memory_mb,
            timeout_seconds,
            tmp_mb,
            {**self._environment(has_task=name in self._as_tasks), "POWERTOOLS_SERVICE_NAME": self.declaration.id},
            reserved=self.reserved(name),
            made=self._made,
        )
        made = self.steps[name] = AtollFunction(self, name.capitalize(), wanted, self.settings, self.network)
        if name in self._as_tasks:
            self._slice_tasks().add(name, made, wanted)
        return made

    @property
    def _as_tasks(self) -> tuple[str, ...]:
        """The steps that the program may have run as tasks of Fargate."""
        return made_for.tasks(self.declaration, self.program)

    def _slice_tasks(self) -> SliceTasks:
        if self._tasks is None:
            from infra.tasks import SliceTasks  # the library of ECS takes a while to load, and most programs ask for no task

            own = declared(self.declaration.image)(self.declaration.system) if self.declaration.image else ""
            settings = replace(self.settings, task_image=own) if own else self.settings
            self._tasks = SliceTasks(self, self.declaration.id, settings, self.network)
        return self._tasks

    def finish(self, workflow: Workflow, *, tables_at_once: int = 4, parts_at_once: int = PARTS_AT_ONCE) -> None:
        """The state machine over the steps, and what operators look at."""
        functions = {name: step.function.function_arn for name, step in self.steps.items() if name not in NO_STEPS}
        itself = self.places.state_machine(self.declaration.id)
        waits = frozenset(self.declaration.waits)
        tasks = {name: self._slice_tasks().place(name) for name in self._as_tasks if name in self.steps}
        definition = workflow(Machine(functions, itself, self.partition, tables_at_once, parts_at_once, waits, tasks))
        title = naming.state_machine(self.declaration.id)
        machine = state_machine(self, self, title, definition, self._machine_role(list(functions.values())))
        alarm(self, "ExecutionFailed", machine.metric_failed(), f"An execution of {title} failed; its error says why")
        slice_dashboard(self, title, self.declaration.id, machine, {name: step.function for name, step in self.steps.items()})
        installed = {"state_machine": itself, "stack": self.stack_name, "steps": list(self.steps), "given": self._given}
        installed |= {} if (found := made_for.digests(self.declaration, self.program)) is None else {"made_for": found}
        parameter = naming.parameter("slices", self.declaration.id)
        ssm.StringParameter(self, "Installed", parameter_name=parameter, string_value=self.to_json_string(installed))

    def _environment(self, *, has_task: bool) -> dict[str, str]:
        part_mb = self.settings.sizes.part_mb(self.declaration)
        return Environment(self.declaration.id, naming.METADATA_TABLE, self.places.bucket, part_mb, int(has_task)).variables()

    def _machine_role(self, functions: list[str]) -> iam.Role:
        executions = self.places.executions(self.declaration.id)
        grants = [
            (["lambda:InvokeFunction"], functions),
            # several batches: each is an execution of this same machine, waited for
            (["states:StartExecution"], [self.places.state_machine(self.declaration.id)]),
            (["states:DescribeExecution", "states:StopExecution"], [executions]),
            (["events:DescribeRule", "events:PutRule", "events:PutTargets"], [self.places.rule(SYNC_RULE)]),
        ]
        role = machine_role(self, grants)
        acknowledge_resources(role, [executions], "executions of this machine itself, whose names are new each time")
        if self._tasks is not None:
            self._tasks.grant_to(role)
        return role
