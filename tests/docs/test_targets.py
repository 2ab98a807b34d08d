"""docs/targets.md is what the declarations say: ATOLL_UPDATE_GOLDEN=1 pytest tests/docs/test_targets.py writes it."""

from __future__ import annotations

import os

import pytest

from tests.docs.targets_page import PAGE, ROOT, page, publishing


def test_the_page_says_what_is_declared() -> None:
    if os.environ.get("ATOLL_UPDATE_GOLDEN"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("system", [one.system for one in publishing()])
def test_each_target_says_what_it_is_granted_and_is_linked(system: str) -> None:
    text = (ROOT / "slices" / "harness" / system / "README.md").read_text()
    granted = any(f"\n## {heading}\n" in text for heading in ("Permissions", "Steps and permissions"))
    assert granted and f"](../slices/harness/{system}/README.md)" in PAGE.read_text()
