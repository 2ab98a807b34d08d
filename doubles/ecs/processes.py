"""Tasks as processes: one container each, its command as it is, and of the machine's environment only what it needs to run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from doubles.ecs.faults import Fault

KILLED = 137
LOOK_SECONDS, GRACE_SECONDS = 0.2, 5.0
EXITED, USER, MEMORY = "EssentialContainerExited", "UserInitiated", "OutOfMemoryError: Container killed due to memory usage"
# What a task inherits of the embedded AWS's own process: where that answers, and what may be trusted.
INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"),
)
PYTHON = "python3"  # which the image has; here it is the interpreter that runs the embedded AWS, as functions have it


@dataclass(frozen=True)
class Ended:
    """code: of the container; None where it has not begun."""

    code: int | None
    stop_code: str
    reason: str
    container_reason: str = ""


@dataclass
class TaskProcess:
    """One task's process; it lives in a process group of its own, and in a folder of its own for `/tmp`."""

    process: subprocess.Popen[str]
    folder: Path
    memory_mb: int
    stopped: str = ""
    over: bool = False
    ready: threading.Event = field(default_factory=threading.Event)

    def ended(self, logged: Callable[[str], None], fault: Fault | None) -> Ended:
        """Waits for its end, and kills it where it takes more memory than its task has."""
        reader = threading.Thread(target=_read, args=(self.process.stdout, logged), daemon=True)
        reader.start()
        began, slow = time.monotonic(), bool(fault and fault.kind == "slow")
        if slow:
            self.kill(signal.SIGSTOP)
        while self.process.poll() is None:
            over = fault is not None and time.monotonic() - began > fault.seconds
            if fault and fault.kind == "killed" and over:
                self.kill()
            if slow and over:
                slow = False
                self.kill(signal.SIGCONT)
            if _resident_mb(self.process.pid) > self.memory_mb:
                self.over = True
                self.kill()
            time.sleep(LOOK_SECONDS)
        reader.join(GRACE_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)
        code = self.process.returncode
        code = 128 - code if code < 0 else code
        if self.stopped:
            return Ended(code, USER, self.stopped)
        killed = self.over or bool(fault and fault.kind == "killed")
        return Ended(code, EXITED, "Essential container in task exited", MEMORY if killed and code == KILLED else "")

    def kill(self, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Processes:
    """The tasks of this process."""

    def __init__(self) -> None:
        self._running, self._lock = dict[str, TaskProcess](), threading.Lock()

    def start(
        self, arn: str, command: Sequence[str], variables: Mapping[str, str], keys: Mapping[str, str], memory_mb: int
    ) -> TaskProcess:
        folder = Path(tempfile.mkdtemp(prefix="task-"))
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        kept = {name: value for name, value in variables.items() if name != "PYTHONPATH"}  # of the image
        line = [sys.executable if command[0] == PYTHON else command[0], *command[1:]]
        process = subprocess.Popen(
            line,
            cwd=folder,
            env={**inherited, **kept, **keys, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        found = TaskProcess(process, folder, memory_mb)
        with self._lock:
            self._running[arn] = found
        return found

    def stop(self, arn: str, reason: str) -> bool:
        """Whether there was such a process; it is asked to end, and killed where it does not."""
        with self._lock:
            found = self._running.get(arn)
        if found is None or found.process.poll() is not None:
            return False
        if not found.stopped:
            found.stopped = reason
            found.kill(signal.SIGTERM)
            timer = threading.Timer(GRACE_SECONDS, found.kill)
            timer.daemon = True
            timer.start()
        return True


def _read(output: IO[str] | None, logged: Callable[[str], None]) -> None:
    for line in output or ():
        if text := line.rstrip():
            logged(text)


def _resident_mb(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss >> 20)
    except psutil.Error:
        return 0
