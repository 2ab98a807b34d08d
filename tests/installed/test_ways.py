"""However Atoll is installed, it tells by which command another version is, and that command works."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.installed.conftest import LATER, Installed, locked, tools

pytestmark = [pytest.mark.deep, pytest.mark.budget(300), pytest.mark.timeout(1800), pytest.mark.xdist_group("installed")]
WAYS = {  # how this version is installed from its wheel, and how it is called
    "uv tool": ("uv tool install {wheel}", "atoll"),
    "uvx": ("true", "uvx --from {wheel} atoll"),
    "pipx": ("pipx install {wheel}", "atoll"),
    "uv pip": ("uv venv $VIRTUAL_ENV && uv pip install {wheel}", "atoll"),
}


@pytest.mark.nightly(2)
@pytest.mark.parametrize("way", WAYS)
def test_a_later_version_is_installed_by_the_command_that_is_told(way: str, installed: Installed, later: Path, folder: Path) -> None:
    variables = tools(folder / "tools")
    if way == "uv pip":
        environment = folder / "environment"
        variables |= {"VIRTUAL_ENV": str(environment), "PATH": f"{environment / 'bin'}:{variables['PATH']}"}
    if not shutil.which(way.split()[0], path=variables["PATH"]):
        pytest.skip(f"{way} is not here")

    def typed(command: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return done

    first, atoll = (text.format(wheel=f"'{installed.wheel}[local]'") for text in WAYS[way])
    typed(first)
    typed(f"{atoll} init")
    assert typed(f"{atoll} --version").stdout.split()[-1] == version("atoll")
    assert "warning" not in typed(f"{atoll} check").stderr
    pinned = folder / "requirements.txt"
    pinned.write_text(pinned.read_text().replace(version("atoll"), LATER))
    (told,) = re.findall(rf"requirements\.txt names {LATER}: `(.*)` installs that$", typed(f"{atoll} check").stderr, re.MULTILINE)
    assert told.startswith(way) and str(later.parent) in told
    if way == "uvx":
        atoll = told
    else:
        typed(told)
    assert typed(f"{atoll} --version").stdout.split()[-1] == LATER
    assert "warning" not in typed(f"{atoll} check").stderr


def test_nothing_is_installed_that_the_lock_does_not_name(installed: Installed) -> None:
    there = {found.name.removesuffix(".dist-info") for found in installed.packages.glob("*.dist-info")}
    named = {one.replace("==", "-") for one in locked()} | {f"atoll-{version('atoll')}"}
    assert set(map(_written, there)) <= set(map(_written, named))


def _written(name: str) -> str:
    """A name and a version as all of them are compared."""
    return re.sub("[-_.]+", "-", name).lower()
