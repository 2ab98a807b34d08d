"""Runs a function's code in a process of its own: without keys, with its log passed on, and never beyond its time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared_metadata.contract.apart.process import INHERITED
from shared_metadata.contract.apart.requirements import APART
from slices.organize.pyfunctions.logic import ANSWER, MADE, Handler

ROOT = Path(__file__).resolve().parents[4]  # where Atoll's packages are
LOG_BYTES = 1_000_000  # of a call's log, that are passed on


def run(job: Mapping[str, Any], folder: Path, seconds: float, log: Callable[[str], None], project: Path = ROOT) -> dict[str, Any]:
    """{'rows', 'file'} of what the code gives, or {'error': {'what', 'remedy'}}.

    folder: empty, for what it writes.  project: in which its folder is.
    """
    handler, file = Handler.of(job["handler"]), folder / "job.json"
    file.write_text(json.dumps(job))
    path = os.pathsep.join(dict.fromkeys(map(str, (APART, project, ROOT))))
    own = {"HOME": str(folder), "TMPDIR": str(folder), "TZ": "UTC", "PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "PYTHONPATH": path}
    process = subprocess.Popen(
        [sys.executable, "-m", "slices.organize.pyfunctions.function.child", str(file)],
        cwd=folder,
        env={**{name: os.environ[name] for name in INHERITED if name in os.environ}, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(max(seconds, 1), end)
    timer.start()
    try:
        _pass_on(process, log)
        code = process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            _kill(process)
    if late.is_set():
        return _error(f"{handler} did not end within {seconds:.0f} s", "raise timeout_seconds, or give it fewer rows")
    if code == -signal.SIGKILL:
        return _error(f"{handler} was killed, most likely for want of memory", "raise memory_mb, or let it take batches")
    answer = folder / ANSWER
    if code or not answer.exists():
        return _error(f"{handler} ended its process with exit code {code}", "let it return; its log may say more")
    found: dict[str, Any] = json.loads(answer.read_text())
    return found if "error" in found else {**found, "file": str(folder / MADE)}


def _error(what: str, remedy: str) -> dict[str, Any]:
    return {"error": {"what": what, "remedy": remedy}}


def _pass_on(process: subprocess.Popen[bytes], log: Callable[[str], None]) -> None:
    assert process.stdout is not None
    passed = 0
    for line in process.stdout:
        passed += len(line)
        if passed <= LOG_BYTES:
            log(line.decode(errors="replace").rstrip("\n"))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends it with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
