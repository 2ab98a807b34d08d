"""Durations as a program writes them, '15 minutes', and the intervals that batches may have."""

from __future__ import annotations

import re

from language.forms.syntax import Duration
from language.text.diagnostics import Problem
from language.text.tokens import Kind, Token

UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}
DAY, WEEK = UNITS["day"], UNITS["week"]
_DURATION = re.compile(r"\s*(\d{1,9})\s+(minute|hour|day|week)s?\s*", re.IGNORECASE)


def duration(token: Token) -> Duration:
    """The duration in a string token. Raises Problem if it is none."""
    match = _DURATION.fullmatch(token.text) if token.kind is Kind.STRING else None
    if match is None or int(match[1]) == 0:
        raise Problem(
            token.span,
            f"{token.span.text} is not a duration",
            "write a quoted number and minutes, hours, days or weeks, as in '15 minutes'",
        )
    return Duration(int(match[1]) * UNITS[match[2].lower()], token.span)


def interval(token: Token) -> Duration:
    """Reads a duration that is fit to be a batch's interval: one minute to one week, cutting days evenly."""
    found = duration(token)
    if found.seconds > WEEK:
        raise Problem(token.span, f"an interval of {token.span.text} is too long", "use at most '1 week'")
    if DAY % found.seconds and found.seconds % DAY:
        raise Problem(
            token.span,
            f"an interval of {token.span.text} does not divide a day, nor is it whole days",
            f"use one that does, such as {_near(found.seconds)}",
        )
    return found


def _near(seconds: int) -> str:
    """The longest good interval shorter than `seconds`, and the shortest longer one."""
    minutes = [m for m in range(1, 1441) if 1440 % m == 0] + [1440 * days for days in range(1, 8)]
    shorter = max(m for m in minutes if m * 60 < seconds)
    longer = min(m for m in minutes if m * 60 > seconds)
    return f"'{spell(shorter * 60)}' or '{spell(longer * 60)}'"


def spell(seconds: int) -> str:
    """`seconds` in the largest unit that fits: 5400 is '90 minutes', 86400 '1 day'."""
    unit, size = next((u, s) for u, s in reversed(UNITS.items()) if seconds % s == 0)
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"
