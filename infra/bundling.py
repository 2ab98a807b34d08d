"""Builds what a Lambda function runs, without Docker: wheels of known hashes for its platform, pruned, beside the code it imports.

A bundle is a zip under `.atoll/build/bundles/`, named by a digest of all that goes into it, so an unchanged one is not built again;
nor are its packages under `.atoll/build/packages/` when only code has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from infra import bill_of_materials
from infra.apart import Apart, BundleError, uv
from infra.pruning import prune

PROJECT = Path(__file__).resolve().parents[1]  # where Atoll's own packages stand: its clone, or what it is installed into
BUILD = Path(".atoll", "build").resolve()  # of the folder in which the app is called
BUNDLES = BUILD / "bundles"
PACKAGES = BUILD / "packages"
LOCK = PROJECT / "infra" / "pinned" / "requirements.lock"
MADE_BY = tuple(PROJECT / "infra" / f"{name}.py" for name in ("bill_of_materials", "pruning", "stripping"))
NOT_CODE = {"tests", "__pycache__", "stack.py", "workflow.py", "requirements.txt", "README.md"}
NOT_WHOLE = {"tests", "__pycache__"}
# The runtime has these: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html. A bundle brings its own only if its
# requirements name them, or name s3fs, whose aiobotocore asks for one botocore and no other: then they name boto3 too, for the
# runtime's is updated without us, and may come to ask for a newer botocore.
RUNTIME_PACKAGES = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")
NEEDS_OWN_BOTOCORE = ("s3fs", "aiobotocore")
FOLDER_APART = "apart"
DATA_PACKAGES = ("boto3", "duckdb", "pyarrow", "pyiceberg", "s3fs")
OF_ROWS = "# rows"  # stands behind a requirement of one slice's that only its steps over rows import
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
VERSION = 2  # raise it when this module builds something else from the same input


@dataclass(frozen=True)
class Platform:
    """What the wheels are for: uv's name of the platform, and the Python version."""

    name: str
    python: str


LAMBDA = Platform("aarch64-manylinux_2_28", "3.13")


@dataclass(frozen=True)
class Bundle:
    """What a function's zip holds.

    name: for people.  code: folders of packages, e.g. 'slices/collect/postgres', as `code_folder` finds them.
    requirements: a requirements file, or None.  data: with the packages that only steps over data import.
    services: of AWS's, those that its code calls beside those of every slice.
    apart: packages of what the function runs beside itself; None for nothing.  whole: folders of the project, as they are.
    """

    name: str
    code: tuple[str, ...]
    requirements: Path | None = None
    data: bool = True
    platform: Platform = LAMBDA
    services: tuple[str, ...] = ()
    apart: Apart | None = None
    whole: tuple[str, ...] = ()

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """The requirement lines; of a bundle without data those alone that control functions import."""
        lines = self.requirements.read_text().splitlines() if self.requirements else []
        some = (line for line in lines if self.data or not (line.startswith(DATA_PACKAGES) or line.rstrip().endswith(OF_ROWS)))
        return tuple(line for line in (each.split(" #")[0].strip() for each in some) if line and not line.startswith("#"))

    @property
    def excluded(self) -> tuple[str, ...]:
        """What is not installed though a requirement asks for it, because the runtime has it."""
        if any(line.startswith(NEEDS_OWN_BOTOCORE) for line in self.wanted):
            return ()
        return tuple(name for name in RUNTIME_PACKAGES if not any(line.startswith(f"{name}==") for line in self.wanted))

    def files(self) -> Iterator[tuple[Path, str]]:
        """The files of its code: path, and path in the bundle. A package's parents come with their `__init__.py` alone."""
        parents = {parent for folder in self.code for parent in Path(folder).parents if str(parent) != "."}
        for parent in sorted(parents):
            yield PROJECT / parent / "__init__.py", f"{parent}/__init__.py"
        for folder in self.code:
            place = code_folder(folder)
            for file in sorted(place.rglob("*")):
                inside = file.relative_to(place)
                if file.is_file() and not NOT_CODE & {*inside.parts}:
                    yield file, f"{folder}/{inside}"
        for folder in self.whole:
            for file in sorted(Path(folder).resolve().rglob("*")):
                inside = file.relative_to(Path(folder).resolve())
                if file.is_file() and not NOT_WHOLE & {*inside.parts}:
                    yield file, f"{folder}/{inside}"

    @cached_property
    def digest(self) -> str:
        """A digest of everything that decides the content."""
        found = hashlib.sha256(self._packages_digest.encode())
        for file, name in self.files():
            found.update(f"{name}\0".encode() + file.read_bytes() + b"\0")
        if self.apart:
            found.update(f"{self.apart.digest} compiled".encode())
        return found.hexdigest()[:32]

    @cached_property
    def _packages_digest(self) -> str:
        found = hashlib.sha256(
            f"{VERSION} {self.platform} {self.wanted} {sorted(self.services)} {bool(compiler(self.platform.python))}".encode()
        )
        if self.wanted:
            found.update(b"".join(path.read_bytes() for path in (LOCK, *MADE_BY)))
        return found.hexdigest()[:32]

    def build(self) -> Path:
        """The zip; made unless it is there. Raises BundleError."""
        target = BUNDLES / f"{self.name}-{self.digest}.zip"
        if not target.exists():
            with staging(BUNDLES) as folder:
                self.unpack(folder / "content")
                zip_files(folder / "content", folder / "bundle.zip")
                (folder / "bundle.zip").replace(target)
        return target

    def unpack(self, folder: Path) -> None:
        """The content of the zip, as files in a new `folder`. Raises BundleError."""
        if self.wanted:
            shutil.copytree(self._packages(), folder, copy_function=os.link)
        for file, name in self.files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
        if self.apart:
            shutil.copytree(self.apart.installed(PACKAGES), folder / FOLDER_APART, copy_function=os.link)
            _compile(folder / FOLDER_APART, folder, self.platform.python)
        if self.wanted:
            for top in sorted({name.split("/")[0] for _, name in self.files()}):
                _compile(folder / top, folder, self.platform.python)

    def _packages(self) -> Path:
        """The installed, pruned and compiled requirements; shared by all bundles that want the same."""
        target = PACKAGES / self._packages_digest
        if not target.exists():
            with staging(PACKAGES) as folder:
                self._install(folder / "content")
                (folder / "content" / bill_of_materials.NAME).write_text(bill_of_materials.of(folder / "content"))
                prune(folder / "content", self.services)
                _compile(folder / "content", folder / "content", self.platform.python)
                try:
                    (folder / "content").rename(target)
                except OSError:  # another process was faster
                    if not target.exists():
                        raise
        return target

    def _install(self, folder: Path) -> None:
        with tempfile.TemporaryDirectory() as lists:
            requirements, excludes = Path(lists, "requirements.txt"), Path(lists, "excludes.txt")
            requirements.write_text("\n".join(self.wanted))
            excludes.write_text("\n".join(self.excluded))
            command = [
                *(uv(), "pip", "install", "--quiet", "--no-config", "--target", str(folder), "--link-mode", "copy"),
                *("--python-platform", self.platform.name, "--python-version", self.platform.python, "--only-binary", ":all:"),
                *("--require-hashes", "--constraint", str(LOCK), "--excludes", str(excludes), "--requirement", str(requirements)),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BundleError(f"the packages of {self.name} cannot be installed:\n{done.stderr.strip()[:2000]}")


def code_folder(name: str) -> Path:
    """Where a package's folder is: Atoll's own, or else one of the project whose app is called, e.g. for a slice of its own."""
    own = PROJECT / name
    return own if own.is_dir() else Path(name).resolve()


@contextmanager
def staging(cache: Path) -> Iterator[Path]:
    """A folder beside what will be moved out of it in one step."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".") as folder:
        yield Path(folder)


@cache
def compiler(python: str) -> str:
    """An interpreter of that version to compile with; '' when the machine has none: the functions then start slower."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    command = [uv(), "python", "find", "--quiet", "--no-config", "--no-python-downloads", python]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _compile(folder: Path, root: Path, python: str) -> None:
    interpreter = compiler(python)
    if not interpreter:
        return
    # Lambda's code folder is read-only: without these, every cold start compiles again. Unchecked, because a zip keeps no times.
    command = [
        interpreter,
        "-I",
        "-m",
        "compileall",
        "-q",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(root),
        str(folder),
    ]
    subprocess.run(command, check=False, capture_output=True)


def zip_files(folder: Path, target: Path) -> None:
    """Always the same bytes for the same content."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)), ZIP_TIME)
            entry.external_attr = (0o755 if os.access(file, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
