"""Packages that a bundle holds apart from its own: of a program that its function runs beside itself, with a lock of their own."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==", re.MULTILINE)


class BundleError(Exception):
    """A bundle cannot be built; says which and why."""


@dataclass(frozen=True)
class Apart:
    """file: requirements, each in one version and with its hashes.  built: those of them that are built of their source.

    platform: uv's name of it, with the Python version; None for this machine's own.
    """

    file: Path
    built: tuple[str, ...] = ()
    platform: tuple[str, str] | None = None

    @cached_property
    def digest(self) -> str:
        found = hashlib.sha256(f"{sorted(self.built)} {self.platform}".encode() + self.file.read_bytes())
        return found.hexdigest()[:32]

    def installed(self, cache: Path) -> Path:
        """The folder with these packages, below `cache`; made unless it is there. Raises BundleError."""
        target = cache / f"apart-{self.digest}"
        if not target.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".") as folder:
                done = subprocess.run([*self._command(Path(folder, "content"))], capture_output=True, text=True, check=False)
                if done.returncode:
                    raise BundleError(f"the packages of {self.file} cannot be installed:\n{done.stderr.strip()[:2000]}")
                try:
                    Path(folder, "content").rename(target)
                except OSError:  # another process was faster
                    if not target.exists():
                        raise
        return target

    def _command(self, folder: Path) -> Iterator[str]:
        yield from (uv(), "pip", "install", "--quiet", "--color", "never", "--no-config", "--no-deps", "--link-mode", "copy")
        if self.platform:
            yield from ("--python-platform", self.platform[0], "--python-version", self.platform[1])
        else:
            yield from ("--python", sys.executable)
        # A package that is built runs code of its own here, where it is deployed: only those that are named are.
        names = {found.lower() for found in _NAME.findall(self.file.read_text(encoding="utf-8"))}
        for name in sorted(names - {name.lower() for name in self.built}):
            yield from ("--only-binary", name)
        yield from ("--target", str(folder), "--require-hashes", "--requirement", str(self.file))


def uv() -> str:
    """The command with which packages are installed. Raises BundleError where there is none."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise BundleError("bundles are built with uv, which is not installed; run `make setup`")
    return found
