"""What is handed from one batch to the next: the tap's last STATE, with no moment in it beyond what the batches before have taken."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import from_text, to_text

VERSION = "version"
EPOCHS = (1_000_000_000, 4_000_000_000)  # seconds of 2001 and of 2096
MOST_BYTES = 100_000  # it stands in the metadata table
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:([T ])(\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?)?")


def set_back(state: Any, until: datetime) -> tuple[Any, int]:
    """The STATE with each moment later than `until` set back to it, written as it was; and how many moments stand in it.

    Whatever the tap's way of keeping bookmarks, they are moments somewhere within, as texts or counted since 1970: only this table's,
    since it runs alone. A table's `version` is none, though many taps count it so.
    """
    if isinstance(state, dict):
        parts = {name: (value, 0) if name == VERSION else set_back(value, until) for name, value in state.items()}
        return {name: value for name, (value, _) in parts.items()}, sum(count for _, count in parts.values())
    if isinstance(state, list):
        found = [set_back(value, until) for value in state]
        return [value for value, _ in found], sum(count for _, count in found)
    if isinstance(state, int | float) and not isinstance(state, bool):
        return _counted(state, until)
    match = _MOMENT.fullmatch(state) if isinstance(state, str) else None
    moment = _read(match) if match else None
    if match is None or moment is None:
        return state, 0
    return (_written(until, match) if moment > until else state), 1


def _counted(value: float, until: datetime) -> tuple[float, int]:
    """A number as `set_back`: one that is a moment of this age in seconds or milliseconds."""
    unit = next((unit for unit in (1, 1000) if EPOCHS[0] <= value / unit < EPOCHS[1]), 0)
    if not unit:
        return value, 0
    return (type(value)(until.timestamp() * unit) if value > until.timestamp() * unit else value), 1


def _read(match: re.Match[str]) -> datetime | None:
    day, _, time, fraction, zone = match.groups()
    text = f"{day}T{time or '00:00:00'}{(fraction or '')[:7]}{'+00:00' if zone in (None, 'Z') else zone}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _written(moment: datetime, like: re.Match[str]) -> str:
    _, between, time, fraction, zone = like.groups()
    if time is None:
        return f"{moment:%Y-%m-%d}"
    text = f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}"
    if fraction:
        text += f"{moment:.%f}"[: len(fraction)].ljust(len(fraction), "0")
    return text + ("" if zone is None else "Z" if zone == "Z" else "+00:00" if ":" in zone else "+0000")


def handed_on(began: Any, ended: Any, end: datetime, lag: int, *, timed: bool, place: str) -> Any:
    """The STATE with which the next batch begins.  timed: rows of the batch's end and later were left out of it.

    began, ended: those of this batch. One that says its bookmarks otherwise than by moments cannot be set back: where rows were left
    out, the next batch begins where this one did. A second more is read again, for taps that take their bookmark as exclusive.
    """
    found = ended
    if timed:
        found, moments = set_back(ended, end - timedelta(seconds=lag + 1))
        found = found if moments else began
    if len(json.dumps(found)) > MOST_BYTES:
        remedy = "collect the table by REPLACE, or let the tap keep one bookmark instead of one by partition"
        raise DefinitionError(f"the tap's STATE has more than {MOST_BYTES // 1000} KB", place=place, remedy=remedy)
    return found


def progress(state: Any) -> Any:
    """What of a STATE says how far a tap has come: without marks that it forgets when it is run again."""
    if isinstance(state, dict):
        left = {name: progress(value) for name, value in state.items() if name not in ("progress_markers", "currently_syncing")}
        return {name: value for name, value in left.items() if value not in ({}, [], None)}
    return [progress(value) for value in state] if isinstance(state, list) else state


def cursor_text(until: datetime, state: Any) -> str:
    """What a batch stores with its table."""
    return json.dumps({"until": to_text(until.astimezone(UTC)), "state": state})


def of_cursor(cursor: str) -> tuple[datetime | None, Any]:
    """The moment up to which the batches before have taken, and their STATE; (None, None) at first."""
    found: Mapping[str, Any] = json.loads(cursor) if cursor else {}
    return (from_text(found["until"]) if found.get("until") else None), found.get("state")
