"""The wheel brings all that a project needs, and nothing of the tests; a project is at work wherever it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.architecture.test_own_slices import project
from tests.installed.conftest import ROOT, Installed

pytestmark = [pytest.mark.deep, pytest.mark.budget(300), pytest.mark.xdist_group("installed")]
PACKAGES = ("console", "conductor", "infra", "language", "shared_metadata", "slices", "systems")
own_project = project


def test_it_holds_the_product_and_no_tests(installed: Installed) -> None:
    names = {name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = "console/new_project/"
    assert names == {n for n in tracked if n.startswith(texts) or not ("/tests/" in n or n.endswith(".md"))}


@pytest.mark.parametrize("name", ["requirements.lock", "package.json", "package-lock.json"])
def test_what_is_pinned_is_as_in_the_clone(installed: Installed, name: str) -> None:
    assert (installed.packages / "infra" / "pinned" / name).read_text() == (ROOT / name).read_text()


def test_a_project_has_the_pinned_cdk_and_its_own_slices(installed: Installed, own_project: Path) -> None:
    """`npx cdk` as a user calls it, after `atoll` has installed it."""
    variables = installed.variables()
    for command in (["atoll", "init"], ["atoll", "check"]):
        done = subprocess.run(command, cwd=own_project, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    fetch = "from pathlib import Path; from infra.cdk_command import command; command(Path().resolve(), print)"
    python = str(installed.environment / "bin" / "python")
    said = subprocess.run([python, "-c", fetch], cwd=own_project, env=variables, capture_output=True, text=True, check=True).stdout
    pinned = json.loads((ROOT / "package-lock.json").read_text())["packages"]["node_modules/aws-cdk"]["version"]
    assert f"installing the CDK {pinned} into .atoll/cdk/" in said
    brought = {found.name for found in (own_project / ".atoll/cdk/node_modules").iterdir() if found.name[0] != "."}
    assert brought == {"aws-cdk"}, "and none of the tests' tools"
    version = subprocess.run(
        ["npx", "--no-install", "cdk", "--version"], cwd=own_project, env=variables, capture_output=True, text=True, check=False
    )
    assert version.stdout.startswith(pinned), version.stderr
    listed = subprocess.run(
        ["npx", "--no-install", "cdk", "list"], cwd=own_project, env=variables, capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stderr
    stacks = {line.split(" ")[0] for line in listed.stdout.splitlines()}
    assert stacks == {"SharedMetadata", "Conductor", "CollectWebsocketSlice", "OrganizeIcebergSlice"}
    again = subprocess.run([python, "-c", fetch], cwd=own_project, env=variables, capture_output=True, text=True, check=True)
    assert again.stdout == "", "what is installed is not installed again"
    shutil.rmtree(own_project / ".atoll")
