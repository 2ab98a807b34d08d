"""Set-up says what it does in a line each; what its tools say is in a log, which an error names; two at once are no trouble."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = {
    # name: what it does beside talking, as which `fails` ends
    "python3": 'if [ "$2" = venv ]; then mkdir -p .venv/bin; cp "$TOOLS/python3" .venv/bin/python; cp "$TOOLS/uv" .venv/bin/uv; fi',
    "uv": "touch .venv/bin/atoll; chmod +x .venv/bin/atoll",
    # as npm does it: what is there is taken away first
    "npm": """mkdir .npm || exit 4; rm -rf node_modules; sleep $SLOW; mkdir -p node_modules/.bin
touch node_modules/.bin/cdk; chmod +x node_modules/.bin/cdk; rmdir .npm""",
    "node": "",
}
SLOW_SECONDS = 1.0


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What set-up reads, and tools that only talk."""
    (tmp_path / "tools").mkdir()
    for name in ("Makefile", "pyproject.toml", "package-lock.json"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "requirements.lock").write_text("uv==1.2.3 \\\n")
    for name, does in TOOLS.items():
        programs = f'[ "$1" != -c ] || exec {sys.executable} "$@"'  # Python's own
        talks, ends = f'echo "WARNING: {name} $*: a place is ignored" >&2', f'case "{name} $*" in *"$FAILS"*) exit 3;; esac'
        script = f"#!/bin/sh\n{programs}\n{talks}\n{does}\n{ends}\n"
        (tmp_path / "tools" / name).write_text(script)
        (tmp_path / "tools" / name).chmod(0o755)
    return tmp_path


def set_up(clone: Path, fails: str = "nothing", *variables: str) -> subprocess.CompletedProcess[str]:
    begun = beginning(clone, fails, 0, *variables)
    said, errors = begun.communicate()
    return subprocess.CompletedProcess(begun.args, begun.returncode, said, errors)


def beginning(clone: Path, fails: str, slow: float, *variables: str) -> subprocess.Popen[str]:
    """Of a set-up in which npm takes so many seconds."""
    tools = str(clone / "tools")
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "TOOLS": tools, "FAILS": fails, "SLOW": str(slow)}
    line = ["make", "setup", f"PYTHON={tools}/python3", *variables]
    return subprocess.Popen(line, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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


def test_two_at_once_do_the_work_once(clone: Path) -> None:
    both = [beginning(clone, "nothing", SLOW_SECONDS) for _ in range(2)]
    said = [begun.communicate() for begun in both]
    assert [begun.returncode for begun in both] == [0, 0], said
    assert sum(output.count("installing the CDK command") for output, _ in said) == 1
    assert sum(output.count("waiting for the set-up that is under way here") for output, _ in said) == 1
    assert (clone / "node_modules" / ".bin" / "cdk").exists()


@pytest.mark.parametrize("lost", ["node_modules/.bin/cdk", ".venv/bin/atoll", "node_modules/.bin", ".venv"])
def test_what_is_missing_is_installed_again(clone: Path, lost: str) -> None:
    set_up(clone)
    subprocess.run(["rm", "-rf", lost], cwd=clone, check=True)
    assert set_up(clone).returncode == 0
    assert (clone / lost).exists()
    assert "installing" not in set_up(clone).stdout


def test_what_takes_long_says_that_it_goes_on(clone: Path) -> None:
    begun = beginning(clone, "nothing", 2.5, "SHOWN_SECONDS=1")
    said, _ = begun.communicate()
    assert "still installing the CDK command after 1 s; what it says is in .atoll/setup.log" in said


def test_the_list_of_targets_is_aligned(clone: Path) -> None:
    said = subprocess.run(["make", "help"], cwd=clone, capture_output=True, text=True, check=True).stdout.splitlines()
    targets = [line.split()[1] for line in said]
    column = len("  make ") + max(map(len, targets)) + 1
    assert all(line[column - 1] == " " and line[column] != " " for line in said), said
