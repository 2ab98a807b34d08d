"""Moments and lengths of time as manifests write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

ISO = "%Y-%m-%dT%H:%M:%S.%f%z"
EPOCH = {"%s": 1, "%s_as_float": 1, "%ms": 1_000, "%epoch_microseconds": 1_000_000}  # a format ▸ its units in a second
START = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(
    r"P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>[\d.]+)S)?)?"
)
_SECONDS = {"Y": 365 * 86_400, "M": 30 * 86_400, "W": 7 * 86_400, "D": 86_400, "h": 3_600, "m": 60, "s": 1}


def read(text: Any) -> datetime:
    """A moment in ISO 8601, or as seconds since 1970; without a zone it is UTC. Raises ValueError."""
    if isinstance(text, datetime):
        return _in_zone(text)
    if isinstance(text, int | float) or re.fullmatch(r"-?\d{9,}(\.\d+)?", str(text)):
        return START + timedelta(seconds=float(text))
    plain = re.sub(r"(\.\d{6})\d+", r"\1", str(text).strip().replace(" UTC", "Z"))
    return _in_zone(datetime.fromisoformat(plain))


def read_as(text: Any, form: str) -> datetime:
    """A moment in a format. Raises ValueError."""
    if form in EPOCH:
        return START + timedelta(seconds=float(text) / EPOCH[form])
    return _in_zone(datetime.strptime(str(text), form.replace("%_ms", "%f")))  # noqa: DTZ007 - UTC where it says no zone


def write_as(moment: datetime, form: str) -> str:
    if form == "%s_as_float":
        return str(moment.timestamp())
    if form in EPOCH:
        return str(
            (moment - START) // timedelta(seconds=1) if EPOCH[form] == 1 else (moment - START) * EPOCH[form] // timedelta(seconds=1)
        )
    return moment.strftime(form.replace("%_ms", f"{moment.microsecond // 1000:03d}"))


def not_before(moment: datetime, form: str) -> str:
    """The moment in a format that may be too coarse for it, and then the next second, minute, hour or day."""
    for more in (0, 1, 60, 3_600, 86_400):
        text = write_as(moment + timedelta(seconds=more), form)
        if read_as(text, form) >= moment:
            return text
    raise ValueError(f"a format in which no day is told from the next: {form}")


def duration(text: str) -> timedelta:
    """'P1DT2H' ▸ 26 hours; a year is 365 days, a month 30. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"no length of time: {text}")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for unit, number in match.groupdict().items() if number))


def _in_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
