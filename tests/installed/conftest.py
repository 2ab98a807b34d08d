"""Atoll as its users have it: a wheel, installed into an environment of its own, away from the clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.background import ended_by

ROOT = Path(__file__).resolve().parents[2]
UV = str(Path(sys.executable).with_name("uv"))


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
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "CDK_", "ATOLL_", "PYTHON", "VIRTUAL_ENV"))}
        return {**kept, "PATH": f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}", "AWS_CONFIG_FILE": os.devnull, **more}


@pytest.fixture(scope="session")
def installed() -> Iterator[Installed]:
    """With the packages of the lock, as set-up installs them.

    Not in pytest's folder, which is closed to the user as whom PostgreSQL, which is among them, runs for root.
    """
    with tempfile.TemporaryDirectory(prefix="atoll-installed-") as folder:
        Path(folder).chmod(0o755)
        yield _install(Path(folder))


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
    run(UV, "build", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder), str(_sources(folder / "sources")))
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, str(environment))
    wanted = ("--constraint", str(ROOT / "requirements.lock"), f"{wheel}[local]")
    run(UV, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"), *wanted)
    return Installed(wheel, environment)


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
