"""The CDK command of this Atoll's version: one that is there, or else installed by npm into the project's `.atoll/`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from shared_metadata.errors import AtollError

Progress = Callable[[str], None]

PINNED = Path(__file__).with_name("pinned")  # package.json and package-lock.json
OLDEST_NODE = 20
_PLACE = Path(".atoll", "cdk")
_COMMAND = Path("node_modules", ".bin", "cdk")
_SHOWN_LINES = 30
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_QUIET = ("--no-notices", "--no-version-reporting")


class CdkError(AtollError):
    """The CDK command could not be installed, or failed."""


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    progress: Progress = lambda _: None,
    *,
    project: Path | None = None,
    folder: Path | None = None,
    attached: bool = False,
) -> None:
    """Runs `cdk <arguments>` and hands every line it writes to `progress`; raises CdkError with the last lines when it fails.

    project: whose command it is (the current folder).  folder: where it runs and looks for its cdk.json (the project).
    attached: it talks with whoever sits at the terminal, and nothing is handed to `progress`.
    What asks this process to end is passed on to the command; when that has ended, KeyboardInterrupt is raised.
    """
    project = (project or Path()).resolve()
    line = [str(command(project, progress)), *arguments, *_QUIET]
    where, settings = folder or project, _settings(environment)
    try:
        code, shown = _attached(line, where, settings) if attached else _followed(line, where, settings, progress)
    except OSError as error:
        remedy = f"remove {Path(line[0]).parents[1]}, then try again: it is installed anew"
        raise CdkError(f"the CDK command {line[0]} cannot be run: {error.strerror}", remedy=remedy) from error
    if code != 0:
        raise CdkError(f"`cdk {' '.join(arguments)}` ended with code {code}{shown}")


def command(project: Path, progress: Progress = lambda _: None) -> Path:
    """The path of the command. Raises CdkError when it is not there and cannot be installed."""
    wanted = _version(json.loads((PINNED / "package-lock.json").read_text()))
    for place in (project, project / _PLACE):
        with suppress(OSError, ValueError):
            # npm writes this list when all else is done
            there = _version(json.loads((place / "node_modules" / ".package-lock.json").read_text()))
            if there == wanted and (place / _COMMAND).exists():
                return place / _COMMAND
    progress(f"installing the CDK {wanted} into {_PLACE}/")
    _install(project / _PLACE)
    if not os.path.lexists(project / "node_modules"):
        (project / "node_modules").symlink_to(_PLACE / "node_modules")  # where `npx cdk` looks
    return project / _PLACE / _COMMAND


def _version(lock: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    return lock.get("packages", {}).get("node_modules/aws-cdk", {}).get("version", "")


def _install(place: Path) -> None:
    _refuse_without_node()
    place.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PINNED / name, place / name)
    log = place / "npm.log"
    with log.open("w") as output:
        npm = ["npm", "ci", "--omit", "dev", "--no-audit", "--no-fund"]
        with _child(npm, cwd=place, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
            code = process.wait()
    if code:
        raise CdkError(
            f"npm could not install the CDK (code {code}); what it said is in {log}",
            remedy="see that npm reaches its registry (`npm ping`), then try again",
        )


def _refuse_without_node() -> None:
    remedy = f"install Node {OLDEST_NODE} or later, which brings npm: https://nodejs.org/en/download"
    if not (shutil.which("npm") and shutil.which("node")):
        raise CdkError("the CDK needs Node and npm, and they are not on the PATH", remedy=remedy)
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = said.removeprefix("v").partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_NODE:
        raise CdkError(f"the CDK needs Node {OLDEST_NODE} or later, and `node --version` says {said or 'nothing'}", remedy=remedy)


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """So that `atoll-app` in cdk.json is this Atoll's, compiled files are kept, and nothing is reported to anybody."""
    kept = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    silence = {"JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": str(OLDEST_NODE)}
    return kept | silence | {"PATH": path, "NODE_NO_WARNINGS": "1", "CDK_DISABLE_CLI_TELEMETRY": "true"}


@contextmanager
def _child(line: Sequence[str], *, attached: bool = False, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that is over at the end. What asks this one to end is passed on to it, and then raises KeyboardInterrupt at the end.

    It hears of each such signal once: a terminal's Ctrl-C reaches all of a process group, so this is one of its own. One that is
    attached has to be in the terminal's, and hears Ctrl-C there.
    Only the main thread can pass on, as Python has it; what is ignored, as `nohup` does it, stays so.
    """
    asked: list[int] = []
    early: list[int] = []  # while it was being started
    process: subprocess.Popen[str] | None = None

    def pass_on(number: int, _: FrameType | None) -> None:
        asked.append(number)
        if process is None:
            early.append(number)
        else:
            _hand_on(process, number, attached=attached)

    main = threading.current_thread() is threading.main_thread()
    former = {number: signal.getsignal(number) for number in _ENDING} if main else {}
    heeded = {number: handler for number, handler in former.items() if handler != signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, pass_on)
    try:
        with subprocess.Popen(line, process_group=None if attached else 0, **settings) as process:
            for signaled in early:
                _hand_on(process, signaled, attached=attached)
            yield process
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt


def _hand_on(process: subprocess.Popen[str], number: int, *, attached: bool) -> None:
    if not attached:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)  # what it has started too, as the terminal does it
    elif number != signal.SIGINT or not _is_at_the_terminal():
        process.send_signal(number)


def _is_at_the_terminal() -> bool:
    """Whether what is typed there reaches this process and all of its group."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _attached(line: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    with _child(line, attached=True, cwd=folder, env=environment) as process:
        process.wait()
    return process.returncode, "; what it said stands above"


def _followed(line: Sequence[str], folder: Path, environment: Mapping[str, str], progress: Progress) -> tuple[int, str]:
    """The exit code, and the last lines."""
    lines: list[str] = []
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with _child([*line, "--ci", "--no-color"], cwd=folder, env=environment, text=True, errors="replace", **pipes) as process:
        for said in process.stdout or ():
            if text := said.rstrip():
                lines.append(text)
                progress(text)
    return process.returncode, ":\n" + "\n".join(lines[-_SHOWN_LINES:])
