"""The stack OrganizeIcebergSlice."""

from __future__ import annotations

from functools import partial

from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.workflow import workflow
from systems.iceberg.stack import LakeStack

SliceStack = partial(LakeStack, declaration=SLICE, workflow=workflow)
