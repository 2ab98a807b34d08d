"""What the stacks of warehouses that keep rows themselves share. Runs where the program is deployed, in no function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import slice_stack
from infra.acknowledge import acknowledge_resources
from infra.functions import READ_OBJECTS, WRITE_OBJECTS, AtollFunction
from infra.settings import Settings
from infra.slice_stack import Workflow
from shared_metadata.contract import made_for
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program
from systems.sql_warehouse.options import WarehouseOptions

STAGED = "what the collect slices of this program staged, whose keys hold batches and tokens"
STEPS = ("load", "refresh", "check", "commit")
AnOptions = TypeVar("AnOptions", bound=WarehouseOptions)


class SqlWarehouseStack(slice_stack.SliceStack, Generic[AnOptions]):
    """plan ▸ load | refresh ▸ check ▸ commit, and landed; no function waits while the service works.

    warehouses: the options of the program's, by name.
    """

    def __init__(
        self,
        scope: Construct,
        program: Program,
        settings: Settings,
        *,
        declaration: Slice,
        workflow: Workflow,
        options: type[AnOptions],
        **stack_settings: Any,
    ) -> None:
        super().__init__(scope, declaration, program, settings, **stack_settings)
        self.warehouses: dict[str, AnOptions] = {
            name: options.read(program.warehouses[name].options, place=f"warehouse {name}")
            for name in made_for.warehouses(declaration, program)
        }
        self.step("plan", memory_mb=256, timeout_seconds=120, data=False)
        for name in STEPS:
            step = self.step(name, memory_mb=512, timeout_seconds=900, data=True)
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        self.steps["load"].read_objects(self.staged, STAGED)
        self.landed(memory_mb=256)
        maintain = self.maintain(memory_mb=512, tmp_mb=512)
        maintain.read_objects([self.staging, *self.staged], STAGED)
        maintain.delete_objects([self.staging], slice_stack.OWN_STAGING)
        maintain.delete_objects(self.staged, STAGED)
        self.reach_service()
        self.finish(workflow)

    def reach_service(self) -> None:
        """What the functions need to have statements run, and the service to reach files."""
        raise NotImplementedError

    @property
    def asking(self) -> list[AtollFunction]:
        """The functions that ask the service."""
        return [self.steps[name] for name in (*STEPS, "landed", "maintain")]

    def storage_role(self, id: str, name: str, trusted: iam.IPrincipal, *, own: Sequence[str] = WRITE_OBJECTS) -> iam.Role:
        """The role by which the service reads what is staged, and writes what is published.

        own: what it may do with the objects below the slice's own staging prefix.
        """
        role = iam.Role(self, id, role_name=name, assumed_by=trusted)
        for why, (actions, prefixes) in {
            STAGED: (READ_OBJECTS, self.staged),
            slice_stack.OWN_STAGING: (own, [self.staging]),
        }.items():
            resources = [self.places.objects(prefix) for prefix in prefixes]
            if resources:
                role.add_to_policy(iam.PolicyStatement(actions=[*actions], resources=resources))
                acknowledge_resources(role, resources, why)
        role.add_to_policy(iam.PolicyStatement(actions=["s3:ListBucket", "s3:GetBucketLocation"], resources=[self.places.bucket_arn]))
        via = {"StringEquals": {"kms:ViaService": f"s3.{self.region}.amazonaws.com"}}
        role.add_to_policy(
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self.places.key_arn], conditions=via)
        )
        return role
