"""The stack HarnessMysqlSlice."""

from __future__ import annotations

from functools import partial

from infra.sql_target_stack import SqlTargetStack
from slices.harness.mysql.slice import SLICE
from slices.harness.mysql.workflow import workflow

SliceStack = partial(SqlTargetStack, declaration=SLICE, workflow=workflow)
