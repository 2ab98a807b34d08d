"""The stack Conductor: one function, called by the clock once a minute, by data events that need action, and by executions
that did not succeed; and the verification's function and state machine, which an operator starts.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from conductor.environment import EVENTS_AT_ONCE, MAX_RUNNING, MEMORY_MB
from conductor.losses import LOST, TOLD_AS
from infra.acknowledge import acknowledge
from infra.atoll_stack import AtollStack
from infra.bundling import PROJECT, Bundle
from infra.clock import every
from infra.concurrency import CONDUCTOR as RESERVED
from infra.concurrency import VERIFY
from infra.functions import AtollFunction, FunctionSettings
from infra.network import network_of
from infra.operations import alarm
from infra.places import Places
from infra.settings import Settings
from infra.verification import Verification
from shared_metadata import naming
from shared_metadata.program import Program
from shared_metadata.state.records import EventKind
from shared_metadata.store.access import CONDUCTOR
from shared_metadata.store.keys import EVENT_PREFIX

CAUSES = [
    EventKind.BATCH_COMPLETED.value,
    EventKind.PROGRAM_ACTIVATED.value,
    EventKind.FLOW_QUIESCED.value,
    EventKind.FLOW_RESUMED.value,
    EventKind.BATCH_DEAD.value,
    EventKind.BATCH_REDRIVEN.value,
]
DESCRIPTION = "Atoll: starts due batches, tells of drift and dead letters"
# https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html#events-dynamodb-permissions
STREAM_ACTIONS = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
LANDING = ("organize", "harness")  # stages whose slices report their landed batches
REQUIREMENTS = PROJECT / "conductor" / "requirements.txt"


class ConductorStack(AtollStack):
    """Starts exactly the state machines of the slices that the program uses."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, naming.CONDUCTOR_STACK, settings, DESCRIPTION, **stack_settings)
        self.places = Places(self)
        requirements = None if settings.host_dependencies else REQUIREMENTS
        bundle = Bundle(naming.CONDUCTOR_FUNCTION, ("shared_metadata", "conductor"), requirements, data=False)
        conductor = self._function(program, settings, bundle)
        dead_letters = self._dead_letters(conductor)
        self._on_data_events(conductor, dead_letters)
        self._on_ended_executions(conductor)
        every(self, Duration.minutes(1), f"{naming.PREFIX}-clock", conductor.function, {"trigger": "clock"})
        self._alarms(conductor, dead_letters)
        landing = [name for name in program.slice_ids if name.split(".")[0] in LANDING]
        Verification(self, bundle, landing, settings.reserved.get(VERIFY))
        ssm.StringParameter(self, "Installed", parameter_name=naming.CONDUCTOR_PARAMETER, string_value=self.stack_name)
        slices = ",".join(program.slice_ids) or "none"  # a parameter is not empty
        ssm.StringParameter(self, "Slices", parameter_name=naming.CONDUCTOR_SLICES, string_value=slices)

    def _function(self, program: Program, settings: Settings, bundle: Bundle) -> AtollFunction:
        wanted = FunctionSettings(
            naming.CONDUCTOR_FUNCTION,
            "conductor.handlers.handle",
            bundle,
            memory_mb=MEMORY_MB,
            timeout_seconds=60,
            reserved=settings.reserved.get(RESERVED),
            environment={
                "ATOLL_METADATA_TABLE": naming.METADATA_TABLE,
                "ATOLL_ACCOUNT": self.account,
                "ATOLL_PARTITION": self.partition,
                "ATOLL_MAX_RUNNING": str(settings.running or MAX_RUNNING),
                "POWERTOOLS_SERVICE_NAME": "conductor",
            },
            traced=False,  # 43,800 clock calls a month would cost more in traces than in everything else
        )
        made = AtollFunction(self, "Function", wanted, settings, network_of(self, settings))
        made.use_metadata(CONDUCTOR)
        made.allow(["sns:Publish"], [self.places.alerts_arn])
        made.use_key("sns")
        made.allow(["states:StartExecution"], [self.places.state_machine(name) for name in program.slice_ids])
        executions = [self.places.executions(name) for name in program.slice_ids]
        made.allow(["states:DescribeExecution"], executions, "executions of the program's slices; each has a name of its own")
        return made

    def _dead_letters(self, conductor: AtollFunction) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=f"{naming.CONDUCTOR_FUNCTION}-dead-letters",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=kms.Key.from_key_arn(self, "Key", self.places.key_arn),
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        acknowledge(queue, "AwsSolutions-SQS3", "this is a dead-letter queue, of an event source mapping")
        conductor.allow(["sqs:SendMessage"], [queue.queue_arn])
        conductor.use_key("sqs")
        return queue

    def _on_data_events(self, conductor: AtollFunction, dead_letters: sqs.Queue) -> None:
        """Subscribes to those new events only that make batches due or need a notification: others would cost an invocation each."""
        stream = self.places.stream_arn
        conductor.allow(STREAM_ACTIONS, [stream])
        conductor.allow(["dynamodb:ListStreams"], ["*"])  # it has no resource-level permissions, and returns names of streams
        pattern = {
            "eventName": ["INSERT"],
            "dynamodb": {"Keys": {"pk": {"S": [{"prefix": EVENT_PREFIX}]}}, "NewImage": {"kind": {"S": CAUSES}}},
        }
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "DataEvents",
            function_name=conductor.function.function_name,
            event_source_arn=stream,
            starting_position="LATEST",
            batch_size=EVENTS_AT_ONCE,
            maximum_batching_window_in_seconds=1,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=5,
            maximum_record_age_in_seconds=3600,  # the clock finds due batches in any case
            function_response_types=["ReportBatchItemFailures"],
            filter_criteria={"filters": [{"pattern": self.to_json_string(pattern)}]},
            destination_config={"onFailure": {"destination": dead_letters.queue_arn}},
        )
        mapping.node.add_dependency(conductor.role)

    def _on_ended_executions(self, conductor: AtollFunction) -> None:
        """Subscribes to every slice's state machine, including later ones; executions that succeed, the most, call no function."""
        machines = [{"prefix": self.places.machines}]
        events.Rule(
            self,
            "EndedExecutions",
            rule_name=f"{naming.PREFIX}-ended-executions",
            description="Executions that did not succeed, to the conductor: it records of which batches nothing was recorded",
            event_pattern=events.EventPattern(
                source=["aws.states"], detail_type=[TOLD_AS], detail={"status": list(LOST), "stateMachineArn": machines}
            ),
            targets=[targets.LambdaFunction(conductor.function)],
        )

    def _alarms(self, conductor: AtollFunction, dead_letters: sqs.Queue) -> None:
        function, five = conductor.function, Duration.minutes(5)
        alarm(self, "Errors", function.metric_errors(period=five), "The conductor fails: batches may start late", threshold=3)
        silent = "The conductor was not called for 15 minutes: no batch starts"
        alarm(self, "Silent", function.metric_invocations(period=five), silent, periods=3, below=True)
        late = cloudwatch.Metric(
            namespace="Atoll",
            metric_name=naming.LATE_DATASETS,
            dimensions_map={"service": "conductor"},
            statistic="Maximum",
            period=five,
        )
        alarm(self, "LateDatasets", late, "A dataset is later than its FRESH WITHIN promises: `atoll status` names it")
        lost = dead_letters.metric_approximate_number_of_messages_visible(period=five)
        alarm(self, "DeadLettersThere", lost, "Data events could not be handled; the clock starts their batches late")
