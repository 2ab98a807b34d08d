"""Declares the slice of a folder with a manifest and packages of its own, which airbyte-cdk reads; nothing of it is read for it."""

from __future__ import annotations

from dataclasses import replace

from shared_metadata.contract.declaration import Slice
from systems.rest import declared as rest


def declared(system: str) -> Slice:
    """The slice of a source by its folder's name, as that of a manifest that Atoll's engine reads."""
    return replace(
        rest.declared(system),
        tasks=("extract",),
        code="systems.rest.airbyte",
        apart="systems.rest.document:packages",
    )
