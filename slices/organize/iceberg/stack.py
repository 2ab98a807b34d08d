"""The stack OrganizeIcebergSlice."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra.settings import Settings
from shared_metadata.program import Program
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.workflow import workflow
from systems.iceberg.stack import LakeStack


class SliceStack(LakeStack):
    """The lake's steps."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, workflow, **stack_settings)
