"""Turns a step into a Lambda handler: Powertools logging, metrics and tracing, and errors under their own names."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

from shared_metadata.aws.later import Refusal, later_cause, refusal
from shared_metadata.contract.runtime.deadline import Context, Step
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, Unfinished, WaitForAws

FRAMES_TOLD = 6
PAYLOAD_LIMIT = 262_144  # bytes: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
SAFE_FIELDS = ("flow", "dataset", "start", "end", "token", "part")


@cache
def services() -> Services:
    """One for the life of the process; made at the first call, so that importing handlers needs no environment."""
    return Services(Environment.read())


class LambdaHandler:
    """A step as AWS calls it. Logs names and figures of the batch, never rows or secrets."""

    def __init__(self, step_name: str, make_step: Any) -> None:
        self._name, self._make = step_name, make_step
        self._step: Step | None = None

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        logger, metrics, tracer = _observers()
        logger.append_keys(step=self._name, **{name: event[name] for name in SAFE_FIELDS if name in event})
        self._step = self._step or self._make()
        started = time.monotonic()
        try:
            with tracer.provider.in_subsegment(f"## {self._name}") if _traced() else _Nothing():
                result = _fitting(self._step(event, context), str(event.get("flow", "")))
        except Unfinished as error:
            logger.info("step goes on in another call", message_text=str(error))
            raise
        except Exception as error:
            shown = told(error)
            logger.error("step failed", error=type(error).__name__, message_text=str(shown)[:1000])
            metrics.add_metric(name="Failures", unit=MetricUnit.Count, value=1)
            raise shown from None
        finally:
            metrics.add_metric(name="StepSeconds", unit=MetricUnit.Seconds, value=time.monotonic() - started)
            metrics.flush_metrics()
            logger.remove_keys(["step", *SAFE_FIELDS])
        return result


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _fitting(result: dict[str, Any], place: str) -> dict[str, Any]:
    """What a step answers goes through its state machine, which ends, and catches nothing, where it is too large."""
    size = len(json.dumps(result).encode())
    if size > PAYLOAD_LIMIT:
        raise DefinitionError(
            f"what is to be done has {size:,} bytes, and a state machine carries {PAYLOAD_LIMIT:,}",
            place=place,
            remedy="start one flow after the other, or fewer batches, with from and to",
        )
    return result


def told(error: Exception) -> Exception:
    """The error as it may be logged: one that is not Atoll's or AWS's is reduced to its name and place, for its text may quote a row.

    What AWS refuses for the moment, and what it denies, has a name of Atoll's, which says what to do.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    cause = later_cause(error)
    if cause and (not isinstance(error, AtollError) or isinstance(error, RetryLater)):
        return error if isinstance(error, WaitForAws) else WaitForAws(f"AWS refuses for the moment: {cause}")
    if isinstance(error, ClientError) and refusal(error) == Refusal.DENIED:
        return DefinitionError(f"AWS denies the function's role {error.operation_name}: {error}", remedy=_remedy(error))
    if isinstance(error, AtollError | BotoCoreError | ClientError):
        return error
    frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-FRAMES_TOLD:]]
    name = type(error).__name__
    kind: type[Exception] = type(name, (Exception,), {})
    return kind(f"an unexpected {name}, whose text may hold data and is not shown, at {' > '.join(frames)}")


def _remedy(error: BaseException) -> str:
    if "Lake Formation" in str(error):
        return "grant it to the role in Lake Formation: docs/deploying.md has the commands"
    return "deploy the slice's stack again with this program; if that is done, a boundary or a policy of the organisation denies it"


def _traced() -> bool:
    return bool(os.environ.get("_X_AMZN_TRACE_ID")) and os.environ.get("POWERTOOLS_TRACE_DISABLED") != "true"


@cache
def _observers() -> tuple[Logger, Metrics, Tracer]:
    slice_id = os.environ.get("ATOLL_SLICE_ID", "conductor")
    metrics = Metrics(namespace="Atoll", service=slice_id)
    return Logger(service=slice_id), metrics, Tracer(service=slice_id, disabled=not _traced(), auto_patch=False)
