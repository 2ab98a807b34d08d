"""Makes an answer of whatever happens while a request is received, and tells operators of it without a word of the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from shared_metadata.contract.runtime.lambda_handler import told
from slices.collect.http.receiving import Answer, Receiver
from slices.collect.http.slice import SLICE

LATER = "the endpoint cannot store events at the moment: send them again"


class ReceiveHandler:
    """The function as API Gateway calls it. make: the receiver, when it is first asked for."""

    def __init__(self, make: Callable[[], Receiver]) -> None:
        self._make = make
        self._receiver: Receiver | None = None

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        logger, metrics = _observers()
        route = str(event.get("routeKey", ""))
        try:
            self._receiver = self._receiver or self._make()
            answer = self._receiver.receive(event)
        except Exception as error:  # the sender is told that it has to send again, whatever it was
            logger.error("request failed", route=route, error=type(error).__name__, message_text=str(told(error))[:1000])
            answer = Answer(503, LATER)
        if answer.status == 202:
            metrics.add_metric(name="Events", unit=MetricUnit.Count, value=answer.count)
        elif answer.status < 500:
            logger.info("request refused", route=route, status=answer.status, cause=answer.cause)
            metrics.add_metric(name="Refused", unit=MetricUnit.Count, value=1)
        else:
            metrics.add_metric(name="Failures", unit=MetricUnit.Count, value=1)
        metrics.flush_metrics()
        return answer.plain()


@cache
def _observers() -> tuple[Logger, Metrics]:
    return Logger(service=SLICE.id), Metrics(namespace="Atoll", service=SLICE.id)
