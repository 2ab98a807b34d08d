"""Durations as a program writes them, '15 minutes', and the intervals that batches may have."""

from __future__ import annotations

import re

from language.forms.syntax import Duration
from language.text.diagnostics import Problem
from language.text.tokens import Kind, Token

UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}
DAY, WEEK = UNITS["day"], UNITS["week"]
_SHORT_UNITS = {
    "minute": ("m", "min", "mins", "minute", "minutes"),
    "hour": ("h", "hr", "hrs", "hour", "hours"),
    "day": ("d", "day", "days"),
    "week": ("w", "wk", "wks", "week", "weeks"),
}
_SHORT = re.compile(r"(\d{0,9})\s*([a-z]+)")
_WORDS = {"hourly": "1 hour", "daily": "1 day", "midnight": "1 day", "weekly": "1 week"}
_CRON = re.compile(r"(?:cron\()?(?:[\d*/,?lw#-]+\s+){4,5}[\d*/,?a-z#-]+\)?")
_DURATION = re.compile(r"\s*(\d{1,9})\s+(minute|hour|day|week)s?\s*", re.IGNORECASE)


def duration(token: Token) -> Duration:
    """The duration in a string token. Raises Problem if it is none."""
    match = _DURATION.fullmatch(token.text) if token.kind is Kind.STRING else None
    if match is None or int(match[1]) == 0:
        raise Problem(
            token.span,
            f"{token.span.text} is not a duration",
            _meant(token.text) or "write a quoted number and minutes, hours, days or weeks, as in '15 minutes'",
        )
    return Duration(int(match[1]) * UNITS[match[2].lower()], token.span)


def _meant(text: str) -> str:
    """What to write for a duration as other tools have it; '' where that is not known."""
    text = text.strip().lower()
    found = _SHORT.fullmatch(text)
    unit = next((unit for unit, short in _SHORT_UNITS.items() if found[2] in short), "") if found else ""
    if found and unit:
        count = int(found[1] or 1)
        return f"write '{count} {unit}{'' if count == 1 else 's'}'" if count else "write '1 minute', or more: no batch is shorter"
    if text.lstrip("@") in _WORDS:
        return f"write '{_WORDS[text.lstrip('@')]}'"
    if _CRON.fullmatch(text):
        return "write an interval, as in '15 minutes': batches begin at its multiples in UTC, and not by a crontab"
    if re.fullmatch(r"\d*\s*(?:s|secs?|seconds?)", text):
        return "write '1 minute', or more: no batch is shorter"
    if re.fullmatch(r"\d*\s*(?:months?|quarters?|years?)", text):
        return "write days or weeks, as in '1 week': months are not all as long"
    return ""


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
