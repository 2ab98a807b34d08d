"""Compares the version of Atoll that a project names with the one that runs."""

from __future__ import annotations

import re
from pathlib import Path

FILE = Path("requirements.txt")
_PINNED = re.compile(r"^atoll(?:\[[^\]]*\])?\s*==\s*([^\s;#]+)", re.MULTILINE | re.IGNORECASE)


def other_version() -> str:
    """The warning when the current folder's requirements.txt names another version; '' when it names this one, or none."""
    try:
        found = _PINNED.search(FILE.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    if found is None:
        return ""
    from importlib.metadata import version  # slow to import, for a verb that answers at once

    called = version("atoll")
    if found[1] == called:
        return ""
    return f"this is Atoll {called}, and {FILE} names {found[1]}: pip install -r {FILE} installs that"
