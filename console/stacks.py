"""Which stacks a program has under its settings: the one list that is deployed, taken down and looked for."""

from __future__ import annotations

from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from slices.registry import installed


def stack_ids(program: Program, settings: Settings) -> tuple[str, ...]:
    """The names that users type, in the order of deploying: what the others stand on comes first."""
    return (*below(settings), naming.CONDUCTOR_STACK, *(installed()[slice_id].stack_name for slice_id in program.slice_ids))


def below(settings: Settings) -> tuple[str, ...]:
    """Those that all others stand on."""
    return (naming.METADATA_STACK, *((naming.NETWORK_STACK,) if settings.own_vpc else ()))


def known_ids() -> tuple[str, ...]:
    """Those of every program and every setting."""
    slices = (slice_.stack_name for slice_ in installed().values())
    return (naming.METADATA_STACK, naming.NETWORK_STACK, naming.CONDUCTOR_STACK, *slices)
