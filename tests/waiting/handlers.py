"""The functions of the tests' own slices, in processes of the embedded AWS: the environment names slice and step."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from shared_metadata.contract.runtime.lambda_handler import LambdaHandler, services
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.waiting import pauses
from tests.waiting.remote import Remote
from tests.waiting.slices import steps_of

pauses.FIRST_SECONDS = 1  # of the real state machine's pauses


@cache
def _steps() -> Steps:
    return steps_of(os.environ["ATOLL_SLICE_ID"].partition(".")[0], services(), Remote(Path(os.environ["REMOTE"])))


handle = LambdaHandler(os.environ.get("STEP", ""), lambda: getattr(_steps(), os.environ["STEP"]))
