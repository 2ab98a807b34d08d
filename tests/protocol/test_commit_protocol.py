"""No interleaving, crash, lost answer, lapsed lease or repeated event loses or repeats a batch: a search through the real code."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.protocol.machine import CommitProtocol

TestCommitProtocol = CommitProtocol.TestCase
TestCommitProtocol.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
