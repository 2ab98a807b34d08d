"""Whether a column can be a cursor: its values come of the source's rows, and rise as these change."""

from __future__ import annotations

from collections.abc import Sequence

from language.forms.resolved import Settings
from language.sql.typing import QueryColumn
from language.text.diagnostics import Problem, Span
from shared_metadata.contract.declaration import Slice

_REMEDY = "name another CURSOR: a time of change, or a number that rises"


def check_cursor(settings: Settings, columns: Sequence[QueryColumn], place: Span, collector: Slice) -> None:
    """Raises Problem for a column by whose values rows would be missed. One that is not among the columns is told elsewhere."""
    name, can = settings.cursor, collector.capabilities
    for column in columns:
        if column.name != name:
            continue
        if not column.inputs:
            raise Problem(place, f"the cursor `{name}` reads no column of the source, so it does not rise as rows change", _REMEDY)
        told = bool(column.source_type)  # else the first batch asks the source
        if column.type == "boolean" or (told and not can.may_be_cursor(column.source_type, rising=settings.rising)):
            said = column.source_type or column.type
            rises = can.rising_types and can.may_be_cursor(column.source_type, rising=True)
            remedy = f"{_REMEDY}; where they do, as ULIDs and UUIDv7 do, write CURSOR {name} RISING" if rises else _REMEDY
            raise Problem(place, f"the cursor `{name}` is {said}: its values do not rise as rows change", remedy)
