"""The stack CollectKafkaSlice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.functions import AtollFunction
from infra.settings import Settings
from shared_metadata.contract import made_for
from shared_metadata.program import Program
from slices.collect.kafka.config import Config, read_config
from slices.collect.kafka.slice import SLICE
from slices.collect.kafka.workflow import workflow

# https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html; in no group, so with no right on one
CONNECT, READ_TOPIC = ["kafka-cluster:Connect"], ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"]


class SliceStack(slice_stack.SliceStack):
    """plan ▸ extract* ▸ commit. Plan looks at some events of each topic, as nothing else tells its columns."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, **stack_settings)
        plan = self.step("plan", memory_mb=512, timeout_seconds=900, data=True)
        extract = self.step("extract", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=1024)
        commit = self.step("commit", memory_mb=256, timeout_seconds=300, data=False)
        for step in (plan, extract, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        for step in (plan, extract):
            step.read_secrets(self.secrets)
        extract.read_secrets(self.mask_keys)
        for step in (plan, extract, self.discover(data=True)):
            self._sign_in(step)
        self.finish(workflow)

    def _sign_in(self, step: AtollFunction) -> None:
        """What a role needs at clusters of Amazon MSK that let in by IAM."""
        for config in self._clusters():
            step.allow(CONNECT, [config.cluster])
            step.allow(READ_TOPIC, [f"{config.cluster.replace(':cluster/', ':topic/')}/{name}" for name in config.names])

    def _clusters(self) -> Iterator[Config]:
        for name in made_for.connections(SLICE, self.program):
            config = read_config(self.program.connections[name])
            if config.auth == "iam":
                yield config
