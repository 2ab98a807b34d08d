"""The stack HarnessSalesforceSlice."""

from __future__ import annotations

from functools import partial

from infra.application_target_stack import ApplicationTargetStack
from slices.harness.salesforce.slice import SLICE
from slices.harness.salesforce.workflow import workflow

SliceStack = partial(ApplicationTargetStack, declaration=SLICE, workflow=workflow, reaches_internet=True)
