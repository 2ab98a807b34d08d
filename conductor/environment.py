"""The conductor function's environment: what its stack writes and its handler reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from shared_metadata import naming
from shared_metadata.errors import DefinitionError

MEMORY_MB = 1769  # a whole processor, by which starts are bounded; what ends as much sooner costs no more
EVENTS_AT_ONCE = 500  # of the stream, in one call
MAX_STARTS = 10_000  # new executions in one call; the next call goes on
MAX_RUNNING = 500  # batches at once: half of the functions that an account may run, most of which run one at a time
STARTS_AT_ONCE = 16  # of them beside one another: enough for a processor, which is what bounds them


@dataclass(frozen=True)
class Environment:
    """Where the metadata and the state machines are."""

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
        """Raises DefinitionError for a variable that is missing."""
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
