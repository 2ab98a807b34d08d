"""Finds tables that take longer to read than an extract may; pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.sizes import Asked, Given, TooMuch
from slices.collect.oracle.slice import SLICE
from systems.sql_source import sizes


def too_much(asked: Asked, given: Mapping[str, Given]) -> list[TooMuch]:
    """See `Slice.sizes`."""
    return sizes.too_much(asked, given, SLICE.capabilities.part_mb)
