"""The task in which this process runs: what it was given, and what it has cost so far."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

METADATA = "ECS_CONTAINER_METADATA_URI_V4"
LEAST_SECONDS = 60.0  # that Fargate bills: https://aws.amazon.com/fargate/pricing/
FREE_DISK_GB = 20
ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class AtWork:
    """id: ECS's, '' where it does not tell.  began: of the pull of its image, from which on it is billed, as a Unix time."""

    id: str
    began: float
    vcpus: int
    gb: int
    disk_gb: int

    def used(self, now: float | None = None) -> dict[str, float]:
        """What it has used until now, in the units that AWS charges."""
        seconds = max((time.time() if now is None else now) - self.began, LEAST_SECONDS)
        return {
            "fargate_arm64_vcpu_second": seconds * self.vcpus,
            "fargate_arm64_gb_second": seconds * self.gb,
            "fargate_disk_gb_second": seconds * max(self.disk_gb - FREE_DISK_GB, 0),
        }

    @staticmethod
    def found(size: Mapping[str, Any], began: float, variables: Mapping[str, str] = os.environ) -> AtWork:
        """Asks ECS for it; where that does not tell, it is what this process knows.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
        """
        told: Mapping[str, Any] = {}
        if address := variables.get(METADATA):
            with suppress(OSError, ValueError), urllib.request.urlopen(f"{address}/task", timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                told = json.load(answer)
        pulled = told.get("PullStartedAt")
        since = datetime.fromisoformat(str(pulled)).timestamp() if pulled else began
        id = str(told.get("TaskARN", "")).rpartition("/")[2]
        return AtWork(id, since, int(size["vcpus"]), int(size["gb"]), int(size["disk_gb"]))


_at_work: list[AtWork] = []


def enter(at_work: AtWork) -> None:
    """Says that this process runs in a task, from now on."""
    _at_work[:] = [at_work]


def leave() -> None:
    _at_work.clear()


def here() -> AtWork | None:
    """The task in which this process runs; None for a function."""
    return _at_work[0] if _at_work else None
