"""The conductor function's environment: written by its stack, read by its handler."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from shared_metadata import naming
from shared_metadata.errors import DefinitionError

MEMORY_MB = 1769  # a whole processor, which bounds starts; the function ends as much sooner, so it costs no more
EVENTS_AT_ONCE = 500  # stream records in one call
MAX_STARTS = 10_000  # new executions in one call; the next call goes on
MAX_RUNNING = 500  # concurrent batches: half of the functions that an account may run, most of which run one at a time
STARTS_AT_ONCE = 16  # concurrent starts: enough for a processor, which bounds them


@dataclass(frozen=True)
class Environment:
    """The names of the metadata table and of the state machines."""

    metadata_table: str
    account: str
    region: str
    partition: str = "aws"
    max_starts: int = MAX_STARTS
    starts_at_once: int = 1
    max_running: int = MAX_RUNNING

    def state_machine_arn(self, slice_id: str) -> str:
        return naming.state_machine_arn(slice_id, self.account, self.region, self.partition)

    def execution_arn(self, slice_id: str, name: str) -> str:
        return f"{self.state_machine_arn(slice_id).replace(':stateMachine:', ':execution:')}:{name}"

    @property
    def alerts_topic_arn(self) -> str:
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{naming.ALERTS_TOPIC}"

    @staticmethod
    def read(variables: Mapping[str, str] = os.environ) -> Environment:
        """Reads the environment. Raises DefinitionError for a variable that is missing."""
        try:
            return Environment(
                variables["ATOLL_METADATA_TABLE"],
                variables["ATOLL_ACCOUNT"],
                variables["AWS_REGION"],
                variables.get("ATOLL_PARTITION", "aws"),
                int(variables.get("ATOLL_MAX_STARTS", str(MAX_STARTS))),
                STARTS_AT_ONCE,
                int(variables.get("ATOLL_MAX_RUNNING", str(MAX_RUNNING))),
            )
        except KeyError as error:
            raise DefinitionError(f"the variable {error} is missing", remedy="deploy the stack Conductor again") from None
