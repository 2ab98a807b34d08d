"""The stack CollectPostgresSlice."""

from __future__ import annotations

from functools import partial

from infra.sql_source_stack import SqlSourceStack
from slices.collect.postgres.slice import SLICE
from slices.collect.postgres.workflow import workflow

SliceStack = partial(SqlSourceStack, declaration=SLICE, workflow=workflow)
