"""A library from which debuggers' symbols were cut off is loaded as before, and nothing else is touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from infra.stripping import strip

LIBRARY = next(Path(zstandard.__file__).parent.glob("backend_c*.so"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "zstandard").mkdir()
    return Path(shutil.copy(LIBRARY, tmp_path / "zstandard"))


def test_it_is_smaller_and_is_loaded(copy: Path) -> None:
    strip(copy)
    assert copy.stat().st_size < LIBRARY.stat().st_size and copy.stat().st_mode == LIBRARY.stat().st_mode
    spec = f"import importlib.util as u; s = u.spec_from_file_location('zstandard.backend_c', {str(copy)!r})"
    load = "m = u.module_from_spec(s); s.loader.exec_module(m)"
    use = "print(m.ZstdDecompressor().decompress(m.ZstdCompressor().compress(b'rows' * 9)) == b'rows' * 9)"
    done = subprocess.run([sys.executable, "-c", f"{spec}; {load}; {use}"], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


def test_a_second_time_changes_nothing(copy: Path) -> None:
    strip(copy)
    once = copy.read_bytes()
    strip(copy)
    assert copy.read_bytes() == once


def test_what_it_was_linked_from_stays_whole(copy: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked.so"
    linked.hardlink_to(copy)
    strip(copy)
    assert linked.read_bytes() == LIBRARY.read_bytes()


@pytest.mark.parametrize("content", [b"", b"INPUT ( libx.so )", b"\x7fELF\x01\x01" + bytes(200)])
def test_anything_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "lib.so"
    file.write_bytes(content)
    strip(file)
    assert file.read_bytes() == content
