"""Running the CDK command: what is not there is installed, what cannot be run is told, and who ends us ends it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from examples.airline import demo
from infra import cdk_command, embedded
from infra.cdk_command import PINNED, CdkError

LOCK = (PINNED / "package-lock.json").read_text()
VERSION = json.loads(LOCK)["packages"]["node_modules/aws-cdk"]["version"]
WAITS = """#!/bin/sh
trap 'sleep 0.3; echo {name} > ended; exit 3' {name}
echo ready
while :; do sleep 0.05; done
"""
# What is ignored stays so, as where a suite is run by nohup or with `&`: here each signal is heard.
RUNS = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from infra import cdk_command
cdk_command.run(['deploy'], os.environ, print, attached={attached})
"""


def installed(folder: Path, script: str | None, mode: int = 0o755) -> None:
    """As npm leaves it, with this script as the command, or without one."""
    command = folder / "node_modules" / ".bin" / "cdk"
    command.parent.mkdir(parents=True)
    lock = {"packages": {"node_modules/aws-cdk": {"version": VERSION}}}
    (folder / "node_modules" / ".package-lock.json").write_text(json.dumps(lock))
    if script is not None:
        command.write_text(script)
        command.chmod(mode)


def test_a_command_that_is_missing_is_installed_whatever_the_lock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, None)
    made: list[Path] = []
    monkeypatch.setattr(cdk_command, "_install", made.append)
    assert cdk_command.command(tmp_path) == made[0] / "node_modules" / ".bin" / "cdk"


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize(("script", "mode"), [("#!/bin/sh\n", 0o644), ("#!/nowhere/at/all\n", 0o755), ("no program", 0o755)])
def test_a_command_that_cannot_be_run_is_an_error_with_its_remedy(tmp_path: Path, attached: bool, script: str, mode: int) -> None:
    installed(tmp_path, script, mode)
    with pytest.raises(CdkError, match="cannot be run") as raised:
        cdk_command.run(["deploy"], {}, project=tmp_path, attached=attached)
    assert f"remove {tmp_path / 'node_modules'}" in raised.value.remedy


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_who_ends_us_alone_ends_the_cdk_and_waits_for_it(tmp_path: Path, name: str, attached: bool) -> None:
    installed(tmp_path, WAITS.format(name=name))
    line = [sys.executable, "-c", RUNS.format(attached=attached)]
    ours = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    assert ours.stdout is not None and ours.stdout.readline() == "ready\n"
    ours.send_signal(getattr(signal, f"SIG{name}"))
    said = ours.communicate(timeout=60)[1]
    assert (tmp_path / "ended").read_text() == f"{name}\n", "it had time to end well"
    assert "KeyboardInterrupt" in said


COUNTS = """#!{python}
import pathlib, signal, sys, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print("ready", flush=True)
while not heard:
    time.sleep(0.02)
time.sleep(0.5)
pathlib.Path("heard").write_text(str(len(heard)))
sys.exit(3)
"""


@pytest.mark.parametrize("attached", [True, False])
def test_ctrl_c_at_a_terminal_reaches_the_cdk_once(tmp_path: Path, attached: bool) -> None:
    installed(tmp_path, COUNTS.format(python=sys.executable))
    terminal, theirs = pty.openpty()
    line = [sys.executable, "-c", RUNS.format(attached=attached)]
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    at_it = [sys.executable, "-c", take, *line]
    ours = subprocess.Popen(at_it, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    with suppress(OSError):  # the terminal is gone when nobody has it open
        while part := os.read(terminal, 1000):
            said += part
    os.close(terminal)
    assert ours.wait(60) != 0 and b"KeyboardInterrupt" in said, said
    assert (tmp_path / "heard").read_text() == "1"


@pytest.mark.parametrize("error", [CdkError("no command", remedy="install it"), RuntimeError("a bug"), SystemExit("no batch")])
def test_the_demo_tells_what_still_runs_however_it_ends(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(**_: object) -> None:
        raise error

    status = embedded.status(Path("nowhere"))
    monkeypatch.setattr(embedded, "status", lambda _: status)
    monkeypatch.setattr(demo, "run", fails)
    monkeypatch.setattr(sys, "argv", ["demo"])
    with pytest.raises((SystemExit, RuntimeError)) as raised:
        demo.main()
    said = capsys.readouterr().out
    assert "in the background" in said
    if isinstance(error, CdkError):
        assert isinstance(raised.value, SystemExit) and "no command" in said and "install it" in said


@pytest.mark.parametrize("file", ["cdk.json", "console/new_project/cdk.json"])
def test_npx_cdk_makes_the_same_stacks_as_atoll(file: str) -> None:
    """The report of versions is a resource of each stack: with it, each of the two would change what the other has deployed."""
    told = json.loads((Path(__file__).resolve().parents[2] / file).read_text())
    assert told["versionReporting"] is False and "--no-version-reporting" in cdk_command._QUIET
