"""The stack HarnessPostgresSlice."""

from __future__ import annotations

from functools import partial

from infra.sql_target_stack import SqlTargetStack
from slices.harness.postgres.slice import SLICE
from slices.harness.postgres.workflow import workflow

SliceStack = partial(SqlTargetStack, declaration=SLICE, workflow=workflow)
