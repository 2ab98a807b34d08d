"""docs/tutorial.md, command by command, from an installed wheel in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed.conftest import ROOT, Installed
from tests.installed.shell import Shell
from tests.shown import steps

pytestmark = [pytest.mark.deep, pytest.mark.budget(900), pytest.mark.timeout(2400), pytest.mark.xdist_group("installed")]
TUTORIAL = ROOT / "docs" / "tutorial.md"


def test_the_first_hour_goes_as_the_page_says(installed: Installed, folder: Path) -> None:
    shell = Shell(folder, installed.variables())
    followed = steps(TUTORIAL)
    verbs = {step.what.split()[1] for step in followed if step.what.startswith("atoll ")}
    assert {"check", "deploy", "discover", "plan", "apply", "status", "why", "drift", "lineage"} <= verbs
    for step in followed:
        shell.follows(step)
