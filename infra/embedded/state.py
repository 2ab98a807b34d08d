"""The embedded AWS's state on disk: its folders, the record of its processes, and one lock for changing it."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from shared_metadata.errors import AtollError

Progress = Callable[[str], None]


class EmbeddedError(AtollError):
    """The embedded AWS could not be started, reached or stopped."""


class ProcessRecord(BaseModel):
    """A process by its id and start time, because an id alone is reused after a crash or a reboot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    created_seconds: float

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord":
        return cls(pid=pid, created_seconds=psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The running process, or None when it has ended or its id now belongs to another."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_seconds) < 2
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class LocalState(BaseModel):
    """The content of `.atoll/local.json`; ports and the password outlive the processes, so addresses stay the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gateway_port: int | None = None
    gateway: ProcessRecord | None = None
    postgres_port: int | None = None
    postgres_password: str | None = None
    postgres: ProcessRecord | None = None


@dataclass(frozen=True)
class Folders:
    """The folders and files under `.atoll/`."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root.resolve() / ".atoll"

    @property
    def record(self) -> Path:
        return self.home / "local.json"

    @property
    def aws(self) -> Path:
        return self.home / "aws"

    @property
    def aws_log(self) -> Path:
        return self.aws / "gateway.log"

    @property
    def postgres_data(self) -> Path:
        return self.home / "postgres" / "data"

    @property
    def postgres_log(self) -> Path:
        # Inside the data folder, because only that one belongs to the system user the server runs as.
        return self.postgres_data / "server.log"

    def read(self) -> LocalState:
        """The record, empty when there is none; one that cannot be read is an EmbeddedError."""
        try:
            return LocalState.model_validate_json(self.record.read_text())
        except FileNotFoundError:
            return LocalState()
        except ValidationError as error:
            raise EmbeddedError(
                f"{self.record} cannot be read ({error.error_count()} problems).",
                remedy=f"Delete the folder {self.home} to start afresh",
            ) from error

    def write(self, state: LocalState) -> None:
        """Replace the record in one step, readable by its owner only: it holds the database's password."""
        self.home.mkdir(parents=True, exist_ok=True)
        staged = self.record.with_suffix(".tmp")
        staged.touch(mode=0o600)
        staged.write_text(state.model_dump_json(indent=2))
        staged.replace(self.record)

    @contextmanager
    def locked(self, timeout_seconds: float = 180) -> Iterator[None]:
        """Hold the lock that starting and stopping take; the kernel frees it when its holder dies."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / "local.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            wait_until(
                lambda: _try_lock(handle),
                timeout_seconds,
                f"{path} is held by another `atoll local`.",
                "wait for it to end, or end it",
            )
            yield
        finally:
            os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_seconds: float, otherwise: str, remedy: str = "") -> None:
    """Poll until the condition holds; raise EmbeddedError with the text `otherwise` when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise EmbeddedError(otherwise, remedy=remedy)
        time.sleep(0.05)
