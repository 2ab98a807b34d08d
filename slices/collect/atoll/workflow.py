"""The slice's state machine."""

from infra.workflows import collect_workflow as workflow

__all__ = ["workflow"]
