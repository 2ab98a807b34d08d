"""What a program without flows lacks, and the statement to write next."""

from __future__ import annotations

from console.again import again
from shared_metadata.contract.declaration import Slice, declared
from shared_metadata.program import Program
from slices.registry import installed


def first_statement(program: Program) -> str:
    """A sentence for a program that makes nothing, with the next step; '' for any other."""
    if program.flows:
        return ""
    warehouse, connection = next(iter(program.warehouses), ""), next(iter(program.connections), "")
    begin = f"CREATE WAREHOUSE lake USING {_system('organize')};"
    if not warehouse and not connection:
        return f"The program has no statements. Begin with {begin} or, where there is no file yet, with {again('atoll init')}."
    if not warehouse:
        return f"The program has no warehouse, and so makes no table. Write {begin}"
    if not connection:
        return f"The program collects nothing yet. Write CREATE CONNECTION ops TO {_system('collect')} WITH (secret = 'ops');"
    example = f"INSERT INTO {warehouse}.{connection} FROM {connection} TABLES (…) EVERY '1 hour';"
    return f"The program makes no table yet. Collect what a connection has, as in {example}"


def _system(stage: str) -> str:
    """The system of a stage whose connections or warehouses ask for the fewest options."""
    able = [slice_ for slice_ in installed().values() if slice_.stage == stage and not slice_.warehouse]
    return min(((_required(slice_), slice_.system) for slice_ in able), default=(0, "…"))[1]


def _required(slice_: Slice) -> int:
    return sum(field.is_required() for field in declared(slice_.config).model_fields.values())
