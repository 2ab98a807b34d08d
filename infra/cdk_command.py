"""The CDK command of this Atoll's version: one that is there, or else installed by npm into the project's `.atoll/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shared_metadata.errors import AtollError

Progress = Callable[[str], None]

PINNED = Path(__file__).with_name("pinned")  # package.json and package-lock.json
OLDEST_NODE = 20
_PLACE = Path(".atoll", "cdk")
_COMMAND = Path("node_modules", ".bin", "cdk")
_SHOWN_LINES = 30
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
    """
    project = (project or Path()).resolve()
    line = [str(command(project, progress)), *arguments, *_QUIET]
    where, settings = folder or project, _settings(environment)
    code, shown = _attached(line, where, settings) if attached else _followed(line, where, settings, progress)
    if code != 0:
        raise CdkError(f"`cdk {' '.join(arguments)}` ended with code {code}{shown}")


def command(project: Path, progress: Progress = lambda _: None) -> Path:
    """The path of the command. Raises CdkError when it is not there and cannot be installed."""
    wanted = _version(json.loads((PINNED / "package-lock.json").read_text()))
    for place in (project, project / _PLACE):
        with suppress(OSError, ValueError):
            # npm writes this list when all else is done
            if _version(json.loads((place / "node_modules" / ".package-lock.json").read_text())) == wanted:
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
        code = subprocess.run(npm, cwd=place, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
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


def _attached(line: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    return subprocess.run(line, cwd=folder, env=environment, check=False).returncode, "; what it said stands above"


def _followed(line: Sequence[str], folder: Path, environment: Mapping[str, str], progress: Progress) -> tuple[int, str]:
    """The exit code, and the last lines."""
    lines: list[str] = []
    process = subprocess.Popen(
        [*line, "--ci", "--no-color"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        for said in process.stdout or ():
            if text := said.rstrip():
                lines.append(text)
                progress(text)
    return process.returncode, ":\n" + "\n".join(lines[-_SHOWN_LINES:])
