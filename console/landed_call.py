"""Asks the slices' `landed` functions which batches their warehouses and targets hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.function_call import call
from console.target import Target
from shared_metadata.contract.landed import STEP
from shared_metadata.verification.asked import Asked
from slices.registry import installed

PROGRAM_FILE = "program.sql"


def ask_slices(target: Target, asking: Callable[[str], None]) -> Asked:
    """The call by which `verify` asks; asking: called before each call."""

    def landed(slice_id: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        return call(target, installed()[slice_id], STEP, event, PROGRAM_FILE)

    return Asked(landed, [slice_.id for slice_ in installed().values() if STEP in slice_.steps], asking)
