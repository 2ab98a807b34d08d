"""How long what batches leave is kept, as a warehouse's option `keep` says it."""

from __future__ import annotations

from datetime import timedelta

LENGTH, PATTERN = "a quoted number of hours, days or weeks, such as '7 days'", r"^[1-9]\d{0,3} (hour|day|week)s?$"
KEPT_BATCHES, LEAST_KEPT = 100, timedelta(hours=6)


def keep_of(keep: str, interval_seconds: int) -> timedelta:
    """The time of what batches of this length leave.  keep: the option; '' for a hundred of them, and six hours at least."""
    if not keep:
        return max(LEAST_KEPT, KEPT_BATCHES * timedelta(seconds=interval_seconds))
    number, unit = keep.split()
    return timedelta(**{f"{unit.removesuffix('s')}s": int(number)})
