"""Lets a change set import a bucket that is there, which ministack takes for a conflict of names.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
"""

from contextvars import ContextVar
from typing import Any

from ministack.services.cloudformation import changesets, stacks  # type: ignore[import-untyped]

_imported: ContextVar[frozenset[str]] = ContextVar("imported", default=frozenset())


def import_buckets() -> None:
    """Enables imports; to be called once, before the first deployment."""
    deploy, errors_of = changesets._deploy_stack_async, stacks._validation_errors

    async def deploy_and_note(*given: Any, imports: dict[str, Any] | None = None, **more: Any) -> None:
        _imported.set(frozenset(imports or ()))
        await deploy(*given, imports=imports, **more)

    def errors_of_others(*given: Any, **more: Any) -> list[tuple[str, ...]]:
        return [error for error in errors_of(*given, **more) if error[0] not in _imported.get()]

    changesets._deploy_stack_async, stacks._validation_errors = deploy_and_note, errors_of_others
