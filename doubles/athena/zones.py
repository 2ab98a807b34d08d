"""Moments that are shown in another zone than UTC: `AT TIME ZONE 'Europe/Berlin'`. Such a moment's type here has its zone, so that
none is forgotten: what does not know the type refuses it.

https://trino.io/docs/current/functions/datetime.html#time-zone-conversion
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from doubles.athena.errors import unknown
from doubles.athena.kinds import literal, of_zone, plain, zone_of
from doubles.athena.scope import Value
from shared_metadata.program.type_names import TypeName as Kind

# Functions that are told what clocks show there; of the second group, what they give is brought back.
_SHOWN = frozenset(
    (
        *("year", "quarter", "month", "week", "year_of_week", "day", "day_of_week", "day_of_year", "hour", "minute", "second"),
        *("millisecond", "last_day_of_month", "date", "date_format", "format_datetime"),
    )
)
BROUGHT_BACK = frozenset(("date_trunc", "date_add"))
_KEPT = frozenset(("min", "max", "coalesce", "lag", "lead", "first_value", "last_value", "if", "nullif", "greatest", "least"))


def at(value: Value, zone: str) -> Value:
    """The same moment, shown in a zone."""
    kind = plain(value.kind)
    return Value(value.sql, kind if zone.upper() == "UTC" else of_zone(kind, zone))


def shown(value: Value, zone: str = "") -> Value:
    """What clocks show at a moment, in its zone or in the one that is said."""
    zone = zone or zone_of(value.kind)
    return Value(f"timezone({literal(zone)}, {value.sql})", Kind("timestamp", sizes=value.kind.sizes))


def brought_back(value: Value, kind: Kind) -> Value:
    """The moment at which clocks show it.  kind: that of the moment before."""
    return Value(f"timezone({literal(zone_of(kind))}, {value.sql})", kind)


def given(name: str, values: Sequence[Value], nodes: Sequence[exp.Expr]) -> list[Value]:
    """The arguments as a function has to have them."""
    zones = [zone_of(value.kind) for value in values]
    if not any(zones):
        return [*values]
    if name in _SHOWN or name in BROUGHT_BACK:
        return [shown(value) if zone else value for value, zone in zip(values, zones, strict=True)]
    if name == "date_diff" and zones[1]:
        if not all(zones[1:]):
            raise unknown("date_diff of a moment with a zone, and one without")
        return [values[0], *(shown(value, zones[1]) for value in values[1:])]
    if name in ("to_iso8601", "typeof"):
        raise unknown(f"{name} of a moment in another zone than UTC")
    return [*values] if name in _KEPT else [Value(value.sql, plain(value.kind)) for value in values]
