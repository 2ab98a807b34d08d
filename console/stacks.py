"""Lists the stacks of a program under its settings: the one list for deploying, taking down and finding them."""

from __future__ import annotations

from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from slices.registry import installed


def stack_ids(program: Program, settings: Settings) -> tuple[str, ...]:
    """The names for users, in the order of deploying: each after those that it stands on."""
    return (*below(settings), naming.CONDUCTOR_STACK, *(installed()[slice_id].stack_name for slice_id in program.slice_ids))


def below(settings: Settings) -> tuple[str, ...]:
    """The stacks that all others stand on."""
    return (naming.METADATA_STACK, *((naming.NETWORK_STACK,) if settings.own_vpc else ()))


def known_ids() -> tuple[str, ...]:
    """The stacks of every program and every setting."""
    slices = (slice_.stack_name for slice_ in installed().values())
    return (naming.METADATA_STACK, naming.NETWORK_STACK, naming.CONDUCTOR_STACK, *slices)
