"""The conductor's Lambda function; the clock calls it once a minute, the metadata table's stream after data events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from conductor.environment import Environment
from conductor.freshness import EVERY_MINUTES, Freshness
from conductor.notifier import Notifier
from conductor.starter import Round, Starter
from shared_metadata import naming
from shared_metadata.aws_client import aws_client
from shared_metadata.errors import InputError
from shared_metadata.keys import EVENT_PREFIX
from shared_metadata.records import EventKind
from shared_metadata.writer import MetadataWriter

LAST_MILLISECONDS = 5_000
STARTS = (EventKind.BATCH_COMPLETED, EventKind.PROGRAM_ACTIVATED, EventKind.FLOW_RESUMED, EventKind.BATCH_REDRIVEN)
CAUSES = (*STARTS, EventKind.FLOW_QUIESCED, EventKind.BATCH_DEAD)
MAX_ATTEMPTS = 4
logger = Logger(service="conductor")
metrics = Metrics(namespace="Atoll", service="conductor")


class Context(Protocol):
    """What Lambda hands over beside the event; only this of it is used."""

    def get_remaining_time_in_millis(self) -> int: ...


def handle(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """{'trigger': 'clock'} ▸ figures of the round, and how many datasets are late; a batch of stream records ▸
    {'batchItemFailures': […]}. Raises InputError for others."""
    if event.get("trigger") == "clock":
        done = vars(_round(context))
        late = _late(datetime.now(UTC))
        if late is not None and notifier().tell_left():
            logger.warning("told of what had been left untold")
        return {**done, "late": late}
    if "Records" not in event:
        raise InputError('the conductor takes {"trigger": "clock"} or a batch of DynamoDB stream records')
    try:
        found = [image for record in event["Records"] if (image := _image(record))]
        if any(_kind(image) in STARTS for image in found):
            _round(context)
        _tell(found)
    except Exception:
        logger.exception("the round failed; the stream brings these records again")
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def _tell(images: list[Mapping[str, Any]]) -> None:
    drifts = {int(image["detail"]["M"]["drift"]["N"]) for image in images if _kind(image) == EventKind.FLOW_QUIESCED}
    for number in sorted(drifts):
        if notifier().tell(number):
            logger.info("told of drift", drift=number)
    dead = {(i["flow"]["S"], i["detail"]["M"]["dataset"]["S"]) for i in images if _kind(i) == EventKind.BATCH_DEAD}
    if dead and (told := notifier().tell_dead(sorted(dead))):
        logger.info("told of dead letters", datasets=told)


def _image(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The event that a record brings, if the conductor does anything on it."""
    image = record.get("dynamodb", {}).get("NewImage", {})
    wanted = image.get("pk", {}).get("S", "").startswith(EVENT_PREFIX) and _kind(image) in CAUSES
    return image if wanted else None


def _kind(image: Mapping[str, Any]) -> str:
    return str(image.get("kind", {}).get("S", ""))


def _round(context: Context) -> Round:
    done = starter().start_due(datetime.now(UTC), lambda: context.get_remaining_time_in_millis() < LAST_MILLISECONDS)
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
    return done


def _late(now: datetime) -> int | None:
    """How many datasets break their FRESH WITHIN; None in the minutes between two checks."""
    if now.minute % EVERY_MINUTES:
        return None
    late = freshness().check(now)
    if late:
        metrics.add_metric(name=naming.LATE_DATASETS, unit=MetricUnit.Count, value=late)
        metrics.flush_metrics()
    return late


def client(service: str) -> Any:
    return aws_client(boto3, service, max_attempts=MAX_ATTEMPTS)


@cache
def writer() -> MetadataWriter:
    """One for the life of the process: it keeps its connections and the program versions it has read."""
    return MetadataWriter(client("dynamodb"), Environment.read().metadata_table)


@cache
def starter() -> Starter:
    return Starter(writer(), client("stepfunctions"), Environment.read(), _report)


@cache
def notifier() -> Notifier:
    return Notifier(writer(), client("sns"), Environment.read().alerts_topic_arn)


@cache
def freshness() -> Freshness:
    return Freshness(writer())


def _report(message: str, figures: Mapping[str, Any]) -> None:
    logger.warning(message, **figures)
