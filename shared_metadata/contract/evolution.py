"""What a table needs to take new rows: columns that come, and columns whose type becomes wider. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_widening import PROMOTIONS, Widens, widened


def evolution(
    known: Sequence[SchemaColumn], columns: Sequence[SchemaColumn], dataset: str, *, place: str, widens: Widens = PROMOTIONS
) -> dict[str, str]:
    """The types of columns to add or widen so that a table takes new rows. Raises DefinitionError, which names both types.

    widens: what the warehouse declares.
    """
    former, changes = {c.name: c.type for c in known}, {}
    for column in columns:
        type_name = former.get(column.name)
        wide = widened(type_name, column.type, widens) if type_name else column.type
        if wide is None:
            raise DefinitionError(
                f"the column {column.name} of {dataset} is {type_name} and would become {column.type}",
                place=place,
                remedy=f"CAST it to {type_name}, or give it another name",
            )
        if wide != type_name:
            changes[column.name] = wide
    return changes
