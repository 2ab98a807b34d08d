"""The slice's state machine."""

from infra.workflows import harness_workflow as workflow

__all__ = ["workflow"]
