"""docs/tutorial.md, command by command, from an installed wheel in an empty folder; then a later version takes its project over."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import boto3
import pytest

from shared_metadata import naming
from tests.installed.conftest import LATER, ROOT, Installed, tools
from tests.installed.shell import Shell
from tests.shown import Step, steps

pytestmark = [pytest.mark.deep, pytest.mark.budget(900), pytest.mark.timeout(2400), pytest.mark.xdist_group("installed")]
TUTORIAL = ROOT / "docs" / "tutorial.md"


def test_the_first_hour_goes_as_the_page_says(installed: Installed, later: Path, folder: Path) -> None:
    shell = Shell(folder, installed.variables())
    followed = steps(TUTORIAL)
    verbs = {step.what.split()[1] for step in followed if step.what.startswith("atoll ")}
    assert {"check", "deploy", "discover", "plan", "apply", "status", "why", "drift", "lineage"} <= verbs
    *hour, end = followed
    for step in hour:
        shell.follows(step)
    _upgrades(shell, later, folder / "tools")
    shell.follows(end)


def _upgrades(shell: Shell, later: Path, place: Path) -> None:
    """As the page's end says, by `uv tool`: the version in one file, install, deploy; the data stay, and what runs goes on."""
    before = _conductor(shell)
    shell.follows(_typed(f"sed -i s/{version('atoll')}/{LATER}/ requirements.txt"))
    shell.follows(_typed("atoll local down", "stopped; its state stays in .atoll/"))
    shell.variables |= {name: value for name, value in tools(place).items() if name not in shell.variables or name == "PATH"}
    shell.follows(_typed(f"uv tool install --find-links {later.parent} 'atoll[local]=={LATER}'"))
    shell.follows(_typed("atoll --version", f"atoll, version {LATER}"))
    shell.follows(_typed("atoll local up"))
    shell.follows(_typed('eval "$(atoll local env)"'))
    shell.follows(_typed("atoll deploy", "deployed: …"))
    assert _conductor(shell) != before
    shell.follows(_typed("psql -q -c \"INSERT INTO orders (customer, amount) VALUES ('kay', 7)\""))
    rows = ("ada      |      2 | 150.50", "alan     |      1 |   1.00", "grace    |      2 | 575.25", "kay      |      1 |   7.00")
    shell.follows(_typed('psql -c "SELECT * FROM customer_totals ORDER BY customer"', *(f" {row}" for row in rows)))
    shell.follows(_typed("atoll", "All is well: 5 datasets, each current."))


def _typed(command: str, *shown: str) -> Step:
    return Step("command", command, "".join(f"{line}\n" for line in shown))


def _conductor(shell: Shell) -> str:
    """What its code hashes to."""
    session = boto3.Session(shell.variables["AWS_ACCESS_KEY_ID"], shell.variables["AWS_SECRET_ACCESS_KEY"])
    found = session.client(
        "lambda",
        region_name=shell.variables["AWS_REGION"],
        endpoint_url=shell.variables["AWS_ENDPOINT_URL"],
        verify=shell.variables["AWS_CA_BUNDLE"],
    )
    return str(found.get_function_configuration(FunctionName=naming.CONDUCTOR_FUNCTION)["CodeSha256"])
