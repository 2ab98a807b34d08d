"""docs/sources.md is what the declarations say: ATOLL_UPDATE_GOLDEN=1 pytest tests/docs/test_sources.py writes it."""

from __future__ import annotations

import os

import pytest

from slices.registry import installed
from tests.docs.sources_page import PAGE, ROOT, page

COLLECTING = sorted(one.system for one in installed().values() if one.stage == "collect")


def test_the_page_says_what_is_declared() -> None:
    if os.environ.get("ATOLL_UPDATE_GOLDEN"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("system", COLLECTING)
def test_each_source_says_what_has_to_be_granted(system: str) -> None:
    text = (ROOT / "slices" / "collect" / system / "README.md").read_text()
    assert "\n## Permissions\n" in text and f"](../slices/collect/{system}/README.md" in PAGE.read_text()
