"""Set-up says what it does in a line each; what its tools say is in a log, which an error names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = {
    # name: what it does beside talking, as which `fails` ends
    "python3": 'if [ "$2" = venv ]; then mkdir -p .venv/bin; cp "$TOOLS/python3" .venv/bin/python; cp "$TOOLS/uv" .venv/bin/uv; fi',
    "uv": "",
    "npm": "mkdir -p node_modules",
    "node": "",
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What set-up reads, and tools that only talk."""
    (tmp_path / "tools").mkdir()
    for name in ("Makefile", "pyproject.toml", "package-lock.json"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "requirements.lock").write_text("uv==1.2.3 \\\n")
    for name, does in TOOLS.items():
        script = (
            f'#!/bin/sh\necho "WARNING: {name} $*: a place is ignored" >&2\n{does}\ncase "{name} $*" in *"$FAILS"*) exit 3;; esac\n'
        )
        (tmp_path / "tools" / name).write_text(script)
        (tmp_path / "tools" / name).chmod(0o755)
    return tmp_path


def set_up(clone: Path, fails: str = "nothing") -> subprocess.CompletedProcess[str]:
    tools = str(clone / "tools")
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "TOOLS": tools, "FAILS": fails}
    return subprocess.run(["make", "setup", f"PYTHON={tools}/python3"], cwd=clone, env=environment, capture_output=True, text=True)


def test_warnings_go_to_the_log(clone: Path) -> None:
    done = set_up(clone)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and "WARNING" not in done.stdout and len(done.stdout.splitlines()) == 3
    log = (clone / ".atoll" / "setup.log").read_text()
    assert all(f"WARNING: {said}" in log for said in ("python3 -m venv", "python3 -m pip install", "uv pip sync", "npm ci"))
    assert "installing" not in set_up(clone).stdout, "a second run does nothing"


@pytest.mark.parametrize(
    ("fails", "doing"),
    [
        ("-m venv", "making .venv"),
        ("-m pip install", "installing uv"),
        ("pip sync", "installing packages"),
        ("--editable", "installing Atoll"),
        ("npm ci", "installing the CDK command"),
    ],
)
def test_a_failure_names_the_log_and_shows_its_end(clone: Path, fails: str, doing: str) -> None:
    done = set_up(clone, fails)
    assert done.returncode != 0
    assert f"set-up failed while {doing}: what it said is in .atoll/setup.log" in done.stderr
    assert fails in done.stderr, "the end of the log"
    assert set_up(clone).returncode == 0, "and a second try goes on"
