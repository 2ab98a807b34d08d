"""Where things are, for stacks that do not see one another: ARNs built from names, and SSM parameters where a name is not enough."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_ssm as ssm

from shared_metadata import naming

KEY = naming.parameter("metadata", "key-arn")
STREAM = naming.parameter("metadata", "stream-arn")


@dataclass(frozen=True)
class Places:
    """The ARNs of what SharedMetadata holds and of what slices name, as seen from one stack."""

    stack: Stack

    @property
    def key_arn(self) -> str:
        return ssm.StringParameter.value_for_string_parameter(self.stack, KEY)

    @property
    def stream_arn(self) -> str:
        return ssm.StringParameter.value_for_string_parameter(self.stack, STREAM)

    @property
    def table_arn(self) -> str:
        return self.arn("dynamodb", f"table/{naming.METADATA_TABLE}")

    @property
    def bucket(self) -> str:
        return naming.data_bucket(self.stack.account, self.stack.region)

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.stack.partition}:s3:::{self.bucket}"

    def objects(self, prefix: str) -> str:
        return f"{self.bucket_arn}/{prefix}*"

    @property
    def alerts_arn(self) -> str:
        return self.arn("sns", naming.ALERTS_TOPIC)

    def secret(self, reference: str) -> str:
        """Secrets Manager ends the ARN with six characters of its own."""
        return self.arn("secretsmanager", f"secret:{naming.secret(reference)}-??????")

    def state_machine(self, slice_id: str) -> str:
        return naming.state_machine_arn(slice_id, self.stack.account, self.stack.region, self.stack.partition)

    @property
    def machines(self) -> str:
        """What the ARNs of all slices' state machines begin with."""
        return self.arn("states", f"stateMachine:{naming.PREFIX}-")

    def executions(self, slice_id: str) -> str:
        return self.arn("states", f"execution:{naming.state_machine(slice_id)}:*")

    def function(self, name: str) -> str:
        return self.arn("lambda", f"function:{name}")

    def rule(self, rest: str) -> str:
        return self.arn("events", rest)

    def log_groups(self, name: str) -> str:
        return self.arn("logs", f"log-group:{name}")

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.stack.partition}:{service}:{self.stack.region}:{self.stack.account}:{rest}"
