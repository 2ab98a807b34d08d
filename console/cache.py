"""The cache under `.atoll/cache`: earlier answers about the same files, and the compiler's results by statement.

Everything in it is kept under a digest of all that it depends on, the compiler itself included, so it may be deleted at any time
and is never out of date. It does without entries that cannot be read or written.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from language.cache.statements import Memo

FOLDER = Path(".atoll", "cache")
FILES_KEPT = 16  # one or two for each way of naming the program's files
_DECIDING = ("console", "language", "shared_metadata", "slices", "systems")
_OWN_SLICES = "slices"  # of the project in the current folder
_LIBRARIES = ("duckdb", "postgast", "pydantic", "sqlglot")
_DIGEST = hashlib.sha256().digest_size


@cache
def compiler_digest() -> bytes:
    """The digest of all but a program's files that decides a result: sources of compiler and slices, libraries, Python."""
    found = hashlib.sha256(sys.version.encode())
    own = [_OWN_SLICES] if os.path.isdir(_OWN_SLICES) else []
    for package, folder in [*((name, _folder(name)) for name in _DECIDING), *(("own", name) for name in own)]:
        for file in _files(folder):
            with open(file, "rb") as opened:
                found.update(f"\0{package} {file.removeprefix(folder)}\0".encode() + opened.read())
    for library in _LIBRARIES:
        site = os.path.dirname(_folder(library))
        found.update("\0".join(sorted(name for name in os.listdir(site) if name.startswith(library))).encode())
    return found.digest()


def _folder(package: str) -> str:
    """The folder of a package, without importing it."""
    found = importlib.util.find_spec(package)
    assert found is not None and found.origin is not None
    return os.path.dirname(found.origin)


def _files(folder: str) -> Iterator[str]:
    """The code and data of a package, without its tests."""
    with os.scandir(folder) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.is_dir() and entry.name not in ("tests", "__pycache__"):
                yield from _files(entry.path)
            elif entry.name.endswith((".py", ".json", ".yaml")):
                yield entry.path


class ProjectCache:
    """The cache of the program with these files in the current folder."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._name = hashlib.sha256("\0".join(paths).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def answer(self, verb: str, files: Mapping[str, str]) -> Any:
        """The kept answer of `verb` for `files` (name to text) exactly as they are; None if there is none."""
        data = _read(FOLDER / f"{self._name}.{verb}", _key(files))
        with contextlib.suppress(ValueError):
            return json.loads(data) if data else None

    def keep_answer(self, verb: str, files: Mapping[str, str], answer: Any) -> None:
        """Keeps an answer: any JSON value."""
        _write(FOLDER / f"{self._name}.{verb}", _key(files), json.dumps(answer).encode())

    def memo(self) -> Memo:
        """The compiler's results by statement."""
        from language.cache.statements import Memo

        return Memo(_read(FOLDER / f"{self._name}.statements", compiler_digest()))

    def keep_memo(self, memo: Memo) -> None:
        if memo.changed:
            _write(FOLDER / f"{self._name}.statements", compiler_digest(), memo.to_bytes())


def _key(files: Mapping[str, str]) -> bytes:
    found = hashlib.sha256(compiler_digest())
    for name, text in sorted(files.items()):
        content = text.encode("utf-8", "surrogateescape")
        found.update(f"\0{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
        found.update(content)
    return found.digest()


def _read(file: Path, key: bytes) -> bytes:
    """The entry under this key; empty if it was written under another, or was damaged since."""
    try:
        data = file.read_bytes()
    except OSError:
        return b""
    body = data[2 * _DIGEST :]
    sound = data[:_DIGEST] == key and data[_DIGEST : 2 * _DIGEST] == hashlib.sha256(body).digest()
    return body if sound else b""


def _write(file: Path, key: bytes, body: bytes) -> None:
    """Replaces a file whole."""
    beside = file.with_name(f"{file.name}.{os.getpid()}.new")
    with contextlib.suppress(OSError):
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True)
            (file.parent / ".gitignore").write_text("*\n")
        beside.write_bytes(key + hashlib.sha256(body).digest() + body)
        beside.replace(file)
        _prune(file.parent.iterdir())


def _prune(files: Iterable[Path]) -> None:
    """Deletes the oldest files beyond those that are kept."""
    found = sorted((f for f in files if f.suffix), key=lambda f: f.stat().st_mtime_ns, reverse=True)
    for file in found[FILES_KEPT:]:
        file.unlink(missing_ok=True)
