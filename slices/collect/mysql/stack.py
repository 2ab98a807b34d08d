"""The stack CollectMysqlSlice."""

from __future__ import annotations

from functools import partial

from infra.sql_source_stack import SqlSourceStack
from slices.collect.mysql.slice import SLICE
from slices.collect.mysql.workflow import workflow

SliceStack = partial(SqlSourceStack, declaration=SLICE, workflow=workflow)
