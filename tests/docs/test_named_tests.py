"""A page that says by which test a promise is held names one that there is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_the_tests_that_pages_name_are_there() -> None:
    named = [one for page in sorted((ROOT / "docs").glob("*.md")) for one in NAMED.findall(page.read_text())]
    assert len(named) > 15
    gone = [f"{path}::{name}" for path, name in named if f"def {name}(" not in _text(path)]
    assert gone == []


def _text(path: str) -> str:
    found = next((place for place in (ROOT / path, ROOT / "slices" / path) if place.is_file()), None)
    return found.read_text() if found else ""
