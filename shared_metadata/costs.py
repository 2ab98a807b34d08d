"""A batch's use of AWS, and its cost at the list prices of aws_prices.json, and of a slice's own `prices.json`.

A use has the name of its price: 'lambda_invocation', 'state_transition', 'dynamodb_write_unit', … A table's batch costs

    sum of used[kind] * price[kind] / 1,000,000  +  invocations * LOG_BYTES * price of a GB of logs / 10^9

What serves several tables of a batch, its plan and the states around them, is priced at once and shared evenly between them: their
part of it is the kind 'dollars', which keeps their states small; so a table's GB-seconds are those of its own steps. Not in it:
storage, the requests that DuckDB and PyIceberg send by themselves, KMS, attempts that failed, batches that found nothing to do, and
what stands still; `python -m benchmarks.cost` measures the last two.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

Used = Mapping[str, float]
LOG_BYTES = 700  # per invocation: Lambda's START, END and REPORT, and the step's metrics; benchmarks/cost.py counts them
# The states around a batch's tables: Plan, Planned, Tables, Outcome, Done; X-Ray traces an execution once.
A_BATCH: Used = {"state_transition": 5, "xray_trace": 1}
# Sent after the figures are made: outcome, state, version and event, each two in a transaction, and the statistics themselves.
A_COMMIT: Used = {"dynamodb_write_unit": 9}
PRICED = "dollars"
DIGITS = 9  # in dollars, and in units used


@cache
def prices() -> Mapping[str, Any]:
    """The list prices with their sources: 'per_million', 'per_gb', 'per_month'.

    What one slice alone uses stands in its folder, per million, which its functions' bundle has, too.
    """
    listed = json.loads(Path(__file__).with_name("aws_prices.json").read_text())
    for own in sorted(Path(__file__).parents[1].glob("slices/*/*/prices.json")):
        listed["per_million"] |= json.loads(own.read_text())
    return listed  # type: ignore[no-any-return]


def cost_dollars(used: Used) -> float:
    """The cost of the use at list prices, in US dollars; without what is `unpriced`."""
    per_million = _per_million()
    requests = sum(number * per_million.get(kind, 0.0) for kind, number in used.items()) / 1e6
    logs = used.get("lambda_invocation", 0) * LOG_BYTES / 1e9 * prices()["per_gb"]["log_ingestion"]["price"]
    return float(round(requests + logs, DIGITS))


def unpriced(used: Used) -> dict[str, float]:
    """The part of the use that has no list price: what another company bills, by contracts of its own."""
    return {kind: number for kind, number in used.items() if kind not in _per_million() and number}


@cache
def _per_million() -> Mapping[str, float]:
    return {kind: listed["price"] for kind, listed in prices()["per_million"].items()} | {PRICED: 1e6}


def together(*parts: Used) -> dict[str, float]:
    """The sum of several uses."""
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return {kind: round(number, DIGITS) for kind, number in found.items()}


def share(used: Used, tables: int) -> dict[str, float]:
    """One table's even share, priced."""
    return {PRICED: round(cost_dollars(used) / max(tables, 1), DIGITS)}


def skew(sizes: Sequence[int]) -> float:
    """The unevenness of a batch's pieces: the largest over the mean of all; 1.0 when they are equal or there is one piece."""
    total = sum(sizes)
    return round(max(sizes) * len(sizes) / total, 2) if total else 1.0
