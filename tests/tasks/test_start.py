"""The beginning of a task: what it fetches is what was deployed, and is on the path of the program that it becomes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra import task_start
from shared_metadata.contract.tasks.stopped import NO_BUNDLE, WRONG_BUNDLE

S3 = "class S3:\n def get_object(self, Bucket, Key): return {'Body': open(Key, 'rb')}\ndef client(name): return S3()\n"
PROGRAM = "import sys, pathlib\nprint(sys.argv[1:], *(f.read_text() for p in sys.path for f in pathlib.Path(p).glob('own/*.json')))\n"


def zipped(file: Path, name: str, text: str) -> str:
    """The digest of a zip with one file."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, text)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def started(folder: Path, keys: list[str], digests: list[str]) -> subprocess.CompletedProcess[str]:
    """boto3 is the folder's, and an object's key the name of a file in it."""
    (folder / "boto3.py").write_text(S3)
    told = {"ATOLL_BUNDLE_BUCKET": "b", "ATOLL_BUNDLE_KEYS": " ".join(keys), "ATOLL_BUNDLE_SHA256": " ".join(digests)}
    environment = {**told, "ATOLL_HANDLER": "a.b", "PYTHONPATH": str(folder), "TMPDIR": str(folder)}
    line = [sys.executable, "-c", Path(task_start.__file__).read_text()]
    return subprocess.run(line, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_a_task_begins_with_its_bundle_and_with_what_is_made_for_its_slice(tmp_path: Path) -> None:
    digests = [zipped(tmp_path / "code", f"{task_start.PROGRAM.replace('.', '/')}.py", PROGRAM)]
    digests += [zipped(tmp_path / "made", "python/own/one.json", "{}")]
    done = started(tmp_path, ["code", "made"], digests)
    assert done.stdout == "['a.b'] {}\n", done.stderr


@pytest.mark.parametrize(("at", "key", "code"), [(0, "made", WRONG_BUNDLE), (1, "code", WRONG_BUNDLE), (1, "gone", NO_BUNDLE)])
def test_a_task_ends_where_one_of_them_is_another_or_is_not_there(tmp_path: Path, at: int, key: str, code: int) -> None:
    keys, digests = ["code", "made"], [zipped(tmp_path / name, f"{name}.py", "") for name in ("code", "made")]
    keys[at] = key
    assert started(tmp_path, keys, digests).returncode == code
