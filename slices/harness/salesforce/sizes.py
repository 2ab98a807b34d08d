"""Estimates how many calls of Salesforce's API a publication takes in a day; pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from shared_metadata.contract.sizes import Asked, Given, TooMuch
from slices.harness.salesforce.config import Config

DAY_SECONDS = 86_400
CALLS_A_JOB = 10  # made, uploaded, closed, asked for a few times, its refused rows


def too_much(asked: Asked, given: Mapping[str, Given]) -> list[TooMuch]:
    """See `Slice.sizes`: what a day takes, which is no reason to refuse it: an unchanged result takes no call."""
    config = Config.model_validate({name: value for name, value in asked.options.items() if name in Config.model_fields})
    batches, rows = ceil(DAY_SECONDS / asked.flow.interval_seconds), asked.sent if asked.sent is not None else config.rows_a_request
    relations = {name.rpartition(".")[0] for name in asked.types if "." in name}
    calls = batches * (1 + len(relations) + _calls(rows, config))
    like = "as the last one did" if asked.sent is not None else "as one request has"
    what = f"{batches} batches a day take up to {calls} calls of Salesforce's API, where each sends {rows} rows {like}"
    if config.calls_a_day is None:
        return [TooMuch(what, "`calls_a_day` of the connection bounds them", refused=False)]
    allowed = f"its connection's `calls_a_day` allows {config.calls_a_day}"
    more = f"{allowed}: raise it, or EVERY, or batches wait for the next day" if calls > config.calls_a_day else allowed
    return [TooMuch(what, more, refused=False)]


def _calls(rows: int, config: Config) -> int:
    """Those that write so many rows; each deletion takes up to two for as many."""
    if rows >= config.bulk_from_rows:
        return CALLS_A_JOB * ceil(rows / config.rows_a_job)
    return ceil(rows / config.rows_a_request)
