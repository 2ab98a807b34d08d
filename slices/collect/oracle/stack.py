"""The stack CollectOracleSlice."""

from __future__ import annotations

from functools import partial

from infra.sql_source_stack import SqlSourceStack
from slices.collect.oracle.slice import SLICE
from slices.collect.oracle.workflow import workflow

SliceStack = partial(SqlSourceStack, declaration=SLICE, workflow=workflow)
