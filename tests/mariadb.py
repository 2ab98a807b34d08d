"""A MariaDB for tests, a real one: the first test that needs it fetches it from Debian's packages into the project's own folder."""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pymysql
import pytest
from pymysql.converters import escape_string

from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.tls import ensure_certificate
from tests.background import ended_by

PARTS = Path(__file__).parents[1] / ".atoll" / "parts"
PACKAGES = ("mariadb-server-core", "libaio1", "liburing2", "libnuma1")
HOW = "there is no MariaDB: put mariadbd on the PATH, or let `apt-get download mariadb-server-core` work here"
PASSWORD = "pa'ss \\w\"ord €"
START_SECONDS, RESTART_SECONDS = 60, 20
CANNOT_CONNECT = 2003
CRASHES = (-signal.SIGSEGV, -signal.SIGABRT)
_TABLES = ("mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data", "mysql_sys_schema")
# What tests write need not outlast them.
_NOT_FOR_EVER = (
    *("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-use-native-aio=0", "--skip-log-bin"),
    *("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=8M", "--performance-schema=OFF", "--max-connections=100"),
    *("--skip-name-resolve", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"),
)


@dataclass(frozen=True)
class Installed:
    """binary: mariadbd.  share: its messages, character sets and the SQL of its own tables.  libraries: those beside it."""

    binary: Path
    share: Path
    libraries: str = ""

    def command(self, data: Path) -> list[str]:
        share = (f"--lc-messages-dir={self.share}", f"--character-sets-dir={self.share / 'charsets'}")
        return [str(self.binary), "--no-defaults", *share, f"--datadir={data}", f"--user={pwd.getpwuid(os.getuid()).pw_name}"]

    def environment(self) -> dict[str, str]:
        """The timezone is no place's, so that what goes by the server's is noticed."""
        return {**os.environ, "TZ": "Asia/Kolkata", **({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {})}


@dataclass(frozen=True)
class Server:
    """socket: for root, who needs no password there.  certificate: of the server, in PEM."""

    socket: str
    port: int
    certificate: Path

    def run(self, statement: str, parameters: Sequence[Any] | None = None, *, database: str = "") -> list[tuple[Any, ...]]:
        """Executes as root; the rows, if it answers any."""
        with self.connect(database) as session, session.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def connect(self, database: str = "") -> Any:
        """A session of root's, which commits each statement; waited for where the server has crashed and is started again."""
        socket = {"unix_socket": self.socket, "ssl_disabled": True}  # else the system's certificates are read for each
        until = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                return pymysql.connect(**socket, user="root", database=database or None, charset="utf8mb4", autocommit=True)
            except pymysql.err.OperationalError as error:
                if error.args[0] != CANNOT_CONNECT or time.monotonic() > until:
                    raise
                time.sleep(0.1)


@dataclass(frozen=True)
class Database:
    """A database of one test, and the user of Atoll's that may do there what `grants` say."""

    server: Server
    name: str

    @property
    def user(self) -> str:
        return f"{self.name}_u"

    @property
    def secret(self) -> dict[str, Any]:
        return {
            "host": LOOPBACK,
            "port": self.server.port,
            "dbname": self.name,
            "username": self.user,
            "password": PASSWORD,
            "sslmode": "verify-full",
            "sslrootcert": self.server.certificate.read_text(),
        }

    def run(self, statement: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        return self.server.run(statement, parameters, database=self.name)

    def connect(self) -> Any:
        return self.server.connect(self.name)

    def create(self, grants: Sequence[str]) -> None:
        """grants: 'SELECT ON {name}.*' …"""
        self.server.run(f"CREATE DATABASE {self.name}")
        self.server.run(f"CREATE USER '{self.user}'@'%%' IDENTIFIED BY '{escape_string(PASSWORD)}'", ())
        for grant in grants:
            self.grant(grant)

    def grant(self, grant: str) -> None:
        self.server.run(f"GRANT {grant.format(name=self.name)} TO '{self.user}'@'%'")

    def revoke(self, grant: str) -> None:
        self.server.run(f"REVOKE {grant.format(name=self.name)} FROM '{self.user}'@'%'")

    def drop(self) -> None:
        self.server.run(f"DROP DATABASE IF EXISTS {self.name}")
        self.server.run(f"DROP USER IF EXISTS '{self.user}'@'%'")


@contextmanager
def fresh_database(server: Server, grants: Sequence[str]) -> Iterator[Database]:
    database = Database(server, f"t{uuid.uuid4().hex[:12]}")
    database.create(grants)
    try:
        yield database
    finally:
        database.drop()


@contextmanager
def mariadb_server(settings: Sequence[str] = ()) -> Iterator[Server]:
    """One for all tests of this process, which take databases and users of their own; with settings, one of its own.

    Skips the test where there is no MariaDB and none can be fetched.
    """
    if not settings:
        yield _server_of_this_process()
    else:
        with _own_server(settings) as found:
            yield found


@contextmanager
def replicated_servers(*settings: str) -> Iterator[tuple[Server, Server]]:
    """A server, and a replica of it that replays what it logs."""
    with ExitStack() as stack:
        source, replica = (stack.enter_context(mariadb_server(["--log-bin=log", f"--server-id={n}", *settings])) for n in (1, 2))
        source.run("CREATE USER follower@'%%' IDENTIFIED BY 'follower'", ())
        source.run("GRANT REPLICATION SLAVE ON *.* TO follower@'%'")
        replica.run(
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {source.port}, MASTER_USER = 'follower', "
            "MASTER_PASSWORD = 'follower', MASTER_USE_GTID = slave_pos, MASTER_SSL_VERIFY_SERVER_CERT = 0"
        )
        replica.run("START SLAVE")
        yield source, replica


@functools.cache
def _server_of_this_process() -> Server:
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(_own_server(()))


@contextmanager
def _own_server(settings: Sequence[str]) -> Iterator[Server]:
    installed, empty = _installed()
    folder = Path(tempfile.mkdtemp(prefix="atoll-maria-"))
    data, pid = folder / "data", folder / "pid"
    shutil.copytree(empty, data)
    tls, port = ensure_certificate(folder / "tls"), free_port()
    temporary = folder / "tmp"
    temporary.mkdir()
    command = [
        *(*installed.command(data), f"--socket={folder / 'socket'}", f"--port={port}", f"--bind-address={LOOPBACK}"),
        f"--tmpdir={temporary}",  # of its own: a server that starts deletes what others have of temporary tables in theirs
        *(f"--pid-file={pid}", f"--log-error={folder / 'log'}", f"--ssl-ca={tls.certificate}"),
        *(f"--ssl-cert={tls.certificate}", f"--ssl-key={tls.key}", *_NOT_FOR_EVER, *settings),
    ]
    where = shlex.quote(str(folder))
    with ended_by(["sh", "-c", f"kill -KILL $(cat {where}/pid); rm -rf {where}"], Path("/")):
        running = _Running(lambda: subprocess.Popen(command, env=installed.environment(), stdout=DEVNULL, stderr=DEVNULL))
        try:
            _wait_for(running.process, pid, folder / "log")
            yield Server(str(folder / "socket"), port, tls.certificate)
        finally:
            running.stop()
            shutil.rmtree(folder, ignore_errors=True)


class _Running:
    """A server that is started again where it has crashed, as it does now and then where sessions break off: others' tests go on."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.process, self._start, self._ends, self._lock = start(), start, False, threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            self._ends = True
            self.process.kill()
        self.process.wait()

    def _watch(self) -> None:
        while self.process.wait() in CRASHES:
            with self._lock:
                if self._ends:
                    return
                self.process = self._start()


def _wait_for(process: subprocess.Popen[bytes], pid: Path, log: Path) -> None:
    """The file with its number is there when it takes connections."""
    until = time.monotonic() + START_SECONDS
    while not pid.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"MariaDB did not start: {log.read_text()[-2000:] if log.exists() else process.returncode}")
        time.sleep(0.02)


@functools.cache
def _installed() -> tuple[Installed, Path]:
    """What there is of MariaDB, and the folder of a server without any database; both are made once, by one process at a time."""
    PARTS.mkdir(parents=True, exist_ok=True)
    with (PARTS / "mariadb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = _on_path() or _fetched(PARTS / "mariadb")
        empty = PARTS / f"mariadb-data-{installed.binary.stat().st_mtime_ns}"
        if not empty.exists():
            _make_empty(installed, empty)
        return installed, empty


def _on_path() -> Installed | None:
    found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    shares = [Path(found).resolve().parents[1] / "share" / name for name in ("mysql", "mariadb")] if found else []
    share = next((each for each in shares if (each / f"{_TABLES[0]}.sql").exists()), None)
    return Installed(Path(found), share) if found and share else None


def _fetched(folder: Path) -> Installed:
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=PARTS) as made:
            _fetch(Path(made))
            (Path(made) / "root").rename(folder)
    libraries = [str(each) for part in ("lib", "usr/lib") for each in folder.glob(f"{part}/*-linux-gnu")]
    return Installed(folder / "usr/sbin/mariadbd", folder / "usr/share/mysql", ":".join(libraries))


def _fetch(folder: Path) -> None:
    """Unpacks the packages. Lists of packages that are missing or old are read anew, into the folder, which needs no rights."""
    own = ("-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=")
    for name in PACKAGES:
        if not _done(folder, "apt-get", "download", name):
            (folder / "state/lists/partial").mkdir(parents=True, exist_ok=True)
            (folder / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
            _done(folder, "apt-get", *own, "update")
            _done(folder, "apt-get", *own, "download", name)
    for package in folder.glob("*.deb"):
        _done(folder, "dpkg", "-x", package.name, "root")
    if not (folder / "root/usr/sbin/mariadbd").exists():
        pytest.skip(HOW)


def _done(folder: Path, *command: str) -> bool:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=300).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _make_empty(installed: Installed, target: Path) -> None:
    """The script that usually does this needs programs that are not here."""
    sql = ["CREATE DATABASE mysql;", "USE mysql;", "SET @skip_auth_anonymous = 1;", "SET @auth_root_socket = NULL;"]
    sql += [file.read_text() for name in _TABLES if (file := installed.share / f"{name}.sql").exists()]
    with tempfile.TemporaryDirectory(dir=PARTS) as made:
        data = Path(made) / "data"
        data.mkdir()
        command = [*installed.command(data), "--bootstrap", "--log-warnings=0", "--enforce-storage-engine=", *_NOT_FOR_EVER]
        done = subprocess.run(command, input="\n".join(sql), env=installed.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"MariaDB made no tables of its own: {done.stderr[-2000:]}")
        data.rename(target)
