"""The slice's state machine."""

from infra.workflows import organize_workflow as workflow

__all__ = ["workflow"]
