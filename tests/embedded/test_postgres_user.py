"""Root starts the embedded PostgreSQL as a system user, which two first starts on a machine add at the same moment."""

import subprocess
from pathlib import Path

import pytest

from infra.embedded import postgres
from infra.embedded.state import EmbeddedError, Folders

USERADD = ["useradd", "-s", "/bin/bash", "pgserver"]


class Server:
    """A server whose user the first `refusals` starts cannot add, and that ends all others where it would make its data folder."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def __call__(self, data: Path, cleanup_mode: str | None) -> "Server":
        if self.refusals:
            self.refusals -= 1
            raise subprocess.CalledProcessError(9, USERADD, stderr="useradd: user 'pgserver' already exists\n")
        return self

    def ensure_pgdata_inited(self) -> None:
        raise subprocess.CalledProcessError(1, ["initdb"], stderr=b"no space left on the device\n")


def test_a_user_that_another_start_adds_meanwhile_is_there_for_the_next_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PostgresServer", Server(refusals=2))
    with pytest.raises(EmbeddedError, match="no space left"):
        postgres.start(Folders(tmp_path), None, None)


def test_a_user_that_cannot_be_added_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PostgresServer", Server(refusals=1_000_000))
    monkeypatch.setattr(postgres, "_USER_TIMEOUT_SECONDS", 0.1)
    with pytest.raises(EmbeddedError, match="could not be added: useradd: user 'pgserver' already exists"):
        postgres.start(Folders(tmp_path), None, None)
