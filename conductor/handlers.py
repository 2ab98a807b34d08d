"""The conductor's Lambda function; called by the clock once a minute, by the metadata table's stream after data events, and by Step
Functions' events of executions that did not succeed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from conductor.environment import STARTS_AT_ONCE, Environment
from conductor.executions import Round
from conductor.freshness import EVERY_MINUTES, Freshness
from conductor.losses import TOLD_AS, Losses
from conductor.notifier import Notifier
from conductor.starter import Starter
from shared_metadata import naming
from shared_metadata.aws.client import Mode, aws_client
from shared_metadata.errors import InputError
from shared_metadata.state.records import Event, EventKind
from shared_metadata.store import items
from shared_metadata.store.keys import EVENT_PREFIX
from shared_metadata.store.writer import MetadataWriter

LAST_MILLISECONDS = 5_000
STARTS = (EventKind.BATCH_COMPLETED, EventKind.PROGRAM_ACTIVATED, EventKind.FLOW_RESUMED, EventKind.BATCH_REDRIVEN)
CAUSES = (*STARTS, EventKind.FLOW_QUIESCED, EventKind.BATCH_DEAD)
MAX_ATTEMPTS = 4
CONNECTIONS = STARTS_AT_ONCE + 2
logger = Logger(service="conductor")
metrics = Metrics(namespace="Atoll", service="conductor")


class Context(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


def handle(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """{'trigger': 'clock'} ▸ figures of the round, and how many datasets are late; a batch of stream records ▸
    {'batchItemFailures': […]}; Step Functions' event of an execution that ended ▸ how many of its tables have not moved.
    Raises InputError for other events.
    """
    if event.get("trigger") == "clock":
        return _on_clock(context)
    if event.get("detail-type") == TOLD_AS:
        lost = losses().ended(event["detail"], datetime.now(UTC))
        _measured(Round(lost=lost))
        return {"lost": lost}
    if "Records" not in event:
        accepted = f'{{"trigger": "clock"}}, a batch of DynamoDB stream records or an event "{TOLD_AS}"'
        raise InputError(f"the conductor takes {accepted}")
    try:
        found = [one for record in event["Records"] if (one := _event(record))]
        if any(one.kind in STARTS for one in found):
            _measured(starter().start_after(found, datetime.now(UTC), _hurried(context)))
        _notify(found)
    except Exception:
        logger.exception("the round failed; the stream brings these records again")
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def _on_clock(context: Context) -> dict[str, Any]:
    now = datetime.now(UTC)
    done = starter().start_due(now, _hurried(context))
    _measured(done)
    late = _late(now)
    if late is not None and notifier().notify_left(starter().known):
        logger.warning("sent the notifications that had been missed")
    return {**vars(done), "late": late}


def _notify(found: list[Event]) -> None:
    for number in sorted({int(event.detail["drift"]) for event in found if event.kind == EventKind.FLOW_QUIESCED}):
        if notifier().notify(number):
            logger.info("notified of drift", drift=number)
    dead = {(event.flow, str(event.detail["dataset"])) for event in found if event.kind == EventKind.BATCH_DEAD}
    if dead and (datasets := notifier().notify_dead(sorted(dead))):
        logger.info("notified of dead letters", datasets=datasets)


def _event(record: Mapping[str, Any]) -> Event | None:
    """The event of a record, if the conductor acts on its kind."""
    image = record.get("dynamodb", {}).get("NewImage", {})
    wanted = image.get("pk", {}).get("S", "").startswith(EVENT_PREFIX) and image.get("kind", {}).get("S") in CAUSES
    return items.event(items.from_item(image)) if wanted else None


def _hurried(context: Context) -> Callable[[], bool]:
    return lambda: context.get_remaining_time_in_millis() < LAST_MILLISECONDS


def _measured(done: Round) -> None:
    figures = {
        "Started": done.started,
        "LostExecutions": done.lost,
        "MissingStateMachines": done.missing,
        "LeftForLater": done.later,
    }
    for name, value in figures.items():
        if value:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if any(figures.values()):
        metrics.flush_metrics()
        logger.info("round", **vars(done))


def _late(now: datetime) -> int | None:
    """The number of datasets that break their FRESH WITHIN; None in the minutes between two checks."""
    if now.minute % EVERY_MINUTES:
        return None
    late = freshness().check(starter().known, now)
    if late:
        metrics.add_metric(name=naming.LATE_DATASETS, unit=MetricUnit.Count, value=late)
        metrics.flush_metrics()
    return late


def client(service: str) -> Any:
    """A client; Step Functions' slows down when it is throttled, as happens after many starts at once."""
    mode: Mode = "adaptive" if service == "stepfunctions" else "standard"
    return aws_client(boto3, service, max_attempts=MAX_ATTEMPTS, connections=CONNECTIONS, mode=mode)


@cache
def writer() -> MetadataWriter:
    """A writer for the life of the process: it keeps its connections and the program versions it has read."""
    return MetadataWriter(client("dynamodb"), Environment.read().metadata_table)


@cache
def starter() -> Starter:
    return Starter(writer(), client("stepfunctions"), Environment.read(), _report)


@cache
def losses() -> Losses:
    return Losses(writer(), _report)


@cache
def notifier() -> Notifier:
    return Notifier(writer(), client("sns"), Environment.read().alerts_topic_arn)


@cache
def freshness() -> Freshness:
    return Freshness(writer())


def _report(message: str, figures: Mapping[str, Any]) -> None:
    logger.warning(message, **figures)
