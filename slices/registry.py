"""Finds the slices: a folder `slices/<stage>/<system>/` with a `slice.py` is a slice."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from shared_metadata.contract.declaration import Slice

FOLDER = Path(__file__).parent


@cache
def installed() -> dict[str, Slice]:
    """Every slice's declaration by its id, e.g. 'collect.salesforce'."""
    found = {}
    for file in sorted(FOLDER.glob("*/*/slice.py")):
        module = importlib.import_module(f"slices.{file.parent.parent.name}.{file.parent.name}.slice")
        found[module.SLICE.id] = module.SLICE
    return found
