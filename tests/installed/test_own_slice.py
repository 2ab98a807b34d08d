"""docs/guides/a-slice-of-your-own.md, command by command, from an installed wheel: an own slice is deployed, and collects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed.conftest import ROOT, Installed
from tests.installed.shell import Shell
from tests.shown import steps

pytestmark = [
    pytest.mark.deep,
    pytest.mark.nightly,
    pytest.mark.budget(600),
    pytest.mark.timeout(2400),
    pytest.mark.xdist_group("installed"),
]
PAGE = ROOT / "docs" / "guides" / "a-slice-of-your-own.md"


def test_a_slice_of_a_project_s_own_collects_as_the_page_says(installed: Installed, folder: Path) -> None:
    shell = Shell(folder, installed.variables())
    followed = steps(PAGE)
    assert {"slices/collect/calendar/client.py", "program.sql"} <= {step.what for step in followed if step.kind == "file"}
    for step in followed:
        shell.follows(step)
