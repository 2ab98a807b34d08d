"""Atoll as its users have it: a wheel, installed into an environment of its own, away from the clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.background import ended_by

ROOT = Path(__file__).resolve().parents[2]
UV = str(Path(sys.executable).with_name("uv"))
LOCK = ROOT / "requirements.lock"
LATER = "99.0.0"


@dataclass(frozen=True)
class Installed:
    """wheel: the file.  environment: where it is installed."""

    wheel: Path
    environment: Path

    @property
    def packages(self) -> Path:
        (found,) = self.environment.glob("lib/python*/site-packages")
        return found

    def variables(self, **more: str) -> dict[str, str]:
        """Of a shell in which the environment is on the PATH, and nothing of AWS is set."""
        return shell_variables(self.environment / "bin", **more)


def shell_variables(*first: Path, **more: str) -> dict[str, str]:
    """Of a shell with these folders first on the PATH, in which nothing of AWS is set."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "CDK_", "ATOLL_", "PYTHON", "VIRTUAL_ENV"))}
    path = os.pathsep.join([*map(str, first), os.environ["PATH"]])
    return {**kept, "PATH": path, "AWS_CONFIG_FILE": os.devnull, **more}


def locked() -> list[str]:
    """The lock's packages, as name==version."""
    return re.findall(r"^[\w.-]+==[^ ;]+", LOCK.read_text(), re.MULTILINE)


def tools(folder: Path) -> dict[str, str]:
    """The variables of a shell of somebody who has uv, maybe pipx, and this Python; both install below `folder` what the lock names.

    Python is a link to the one that stands below the environment of the tests, which is none of theirs.
    """
    commands, constraints = folder / "bin", folder / "constraints.txt"
    commands.mkdir(parents=True)
    constraints.write_text("\n".join(locked()))
    for name, found in {"uv": Path(UV), "uvx": Path(UV).with_name("uvx"), "python3": Path(sys.executable).resolve()}.items():
        (commands / name).symlink_to(found)
    where = {"UV_TOOL_DIR": folder / "uv", "UV_TOOL_BIN_DIR": commands, "PIPX_HOME": folder / "pipx", "PIPX_BIN_DIR": commands}
    bound = {"UV_CONSTRAINT": constraints, "PIP_CONSTRAINT": constraints}
    return shell_variables(commands, UV_PYTHON_DOWNLOADS="never", **{name: str(path) for name, path in {**where, **bound}.items()})


@pytest.fixture(scope="session")
def installed() -> Iterator[Installed]:
    """With the packages of the lock, as set-up installs them.

    Not in pytest's folder, which is closed to the user as whom PostgreSQL, which is among them, runs for root.
    """
    with tempfile.TemporaryDirectory(prefix="atoll-installed-") as folder:
        Path(folder).chmod(0o755)
        yield _install(Path(folder))


@pytest.fixture(scope="session")
def later(installed: Installed) -> Path:
    """The wheel of a later version, in the folder of this one's; the conductor's code is another there."""
    sources, first = installed.wheel.parent / "sources", "\nfrom __future__ import annotations\n"
    _change(sources / "pyproject.toml", f'\nversion = "{version("atoll")}"\n', f'\nversion = "{LATER}"\n')
    _change(sources / "conductor" / "handlers.py", first, f'{first}\nVERSION = "{LATER}"\n')
    _build(sources, "--wheel")
    return installed.wheel.with_name(f"atoll-{LATER}-py3-none-any.whl")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder; what runs in the project that comes to be there is stopped, also when the tests crash.

    Not in pytest's folder, which is closed to the user as whom PostgreSQL runs for root.
    """
    folder = Path(tempfile.mkdtemp(prefix="atoll-page-"))
    stop = f"import pathlib, infra.embedded as e; [e.down(f) for f in pathlib.Path({str(folder)!r}).iterdir() if f.is_dir()]"
    with ended_by([sys.executable, "-c", stop], ROOT):
        yield folder
        subprocess.run([sys.executable, "-c", stop], cwd=ROOT, check=True)
        shutil.rmtree(folder, ignore_errors=True)


def _install(folder: Path) -> Installed:
    _build(_sources(folder / "sources"))
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, str(environment))
    wanted = ("--constraint", str(LOCK), f"{wheel}[local]")
    run(UV, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"), *wanted)
    return Installed(wheel, environment)


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, file
    file.write_text(text.replace(old, new))


def _build(sources: Path, *options: str) -> None:
    """Into the folder that the sources are in."""
    where = ("--python", sys.executable, "--out-dir", str(sources.parent))
    run(UV, "build", "--no-build-isolation", *options, *where, str(sources))


def _sources(copy: Path) -> Path:
    """A copy of what the repository holds: beside other tests, files come and go in the folder itself while it is built."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():  # a file that is deleted and not yet committed is listed, too
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
