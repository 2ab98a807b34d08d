"""Which type of a column may become which other without losing a value: Iceberg's promotions. Pure.

https://iceberg.apache.org/spec/#schema-evolution
"""

from __future__ import annotations

import re

_WIDER = {("int", "long"), ("float", "double")}
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)", re.IGNORECASE)


def widened(former: str, new: str) -> str | None:
    """The type that holds the values of both; None when Iceberg can change neither into the other."""
    if former == new:
        return former
    for narrow, wide in ((former, new), (new, former)):
        if (narrow, wide) in _WIDER:
            return wide
        small, large = decimal(narrow), decimal(wide)
        if small and large and small[1] == large[1] and small[0] <= large[0]:
            return wide
    return None


def decimal(type_name: str) -> tuple[int, int] | None:
    """'decimal(10,2)' ▸ (10, 2)."""
    found = _DECIMAL.fullmatch(type_name)
    return (int(found[1]), int(found[2])) if found else None
