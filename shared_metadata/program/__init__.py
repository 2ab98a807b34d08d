"""The data program: its plan, lineage, intervals, masks and the schemas of its columns. Pure."""

from shared_metadata.program.calls import Call
from shared_metadata.program.plain import from_plain
from shared_metadata.program.plan import (
    MASK_KEY,
    BadRows,
    Beyond,
    Column,
    Connection,
    Expectation,
    Flow,
    Kind,
    Mask,
    Masks,
    Mode,
    Position,
    Program,
    Table,
    Warehouse,
)

__all__ = [
    "MASK_KEY",
    "BadRows",
    "Beyond",
    "Call",
    "Column",
    "Connection",
    "Expectation",
    "Flow",
    "Kind",
    "Mask",
    "Masks",
    "Mode",
    "Position",
    "Program",
    "Table",
    "Warehouse",
    "from_plain",
]
