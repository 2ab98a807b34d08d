"""Figures of a slice's own that operators look at, as metrics of its function."""

from __future__ import annotations

import os


def tell(name: str, value: float, unit: str) -> None:
    """Adds a metric to those that the function's call sends when it ends; nothing outside of a function. unit: CloudWatch's word."""
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return
    from aws_lambda_powertools import Metrics

    # All of a process's Metrics share what they hold: lambda_handler sends it.
    Metrics(namespace="Atoll", service=os.environ.get("ATOLL_SLICE_ID", "")).add_metric(name=name, unit=unit, value=value)
