"""Brings the embedded AWS and PostgreSQL up and down together, and reports their status."""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from infra.embedded import aws, postgres
from infra.embedded.state import Folders, LocalState, Progress
from infra.embedded.tls import tls_files


@dataclass(frozen=True)
class EmbeddedAws:
    """A running embedded AWS with its PostgreSQL: addresses, credentials and the places of its files."""

    folders: Folders
    gateway_port: int
    postgres_port: int
    postgres_password: str

    @property
    def endpoint(self) -> str:
        return aws.endpoint(self.gateway_port)

    @property
    def region(self) -> str:
        return aws.REGION

    @property
    def account(self) -> str:
        return aws.ACCOUNT

    @property
    def ca_bundle(self) -> Path:
        return tls_files(self.folders.aws / "tls").bundle

    @property
    def log(self) -> Path:
        return self.folders.aws_log

    def environment(self) -> dict[str, str]:
        """The variables that a client process needs to talk to this AWS and to no other."""
        return aws.client_environment(self.folders, self.gateway_port)

    def process_environment(self, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment of a child process: the inherited variables, but for AWS only those of `environment()`."""
        kept = {name: value for name, value in inherited.items() if not name.startswith(("AWS_", "CDK_"))}
        return kept | self.environment()

    def session(self) -> boto3.Session:
        """A session whose clients and resources all talk to this AWS, whatever the process's environment says."""
        return _LocalSession(self)

    def database(self, name: str = "production") -> str:
        """The address (DSN) of a database of the embedded PostgreSQL, which is created if it is missing."""
        postgres.ensure_database(self.postgres_port, self.postgres_password, name)
        return postgres.dsn(self.postgres_port, self.postgres_password, name)

    def database_environment(self, name: str = "production", path: str | None = None) -> dict[str, str]:
        """libpq's variables for that database; with a PATH that has psql, where `path` has none."""
        self.database(name)
        return postgres.client_environment(
            self.postgres_port, self.postgres_password, name, path or os.environ.get("PATH", os.defpath)
        )


class _LocalSession(boto3.Session):
    def __init__(self, stack: EmbeddedAws) -> None:
        settings = stack.environment()
        unconfigured = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
        super().__init__(
            botocore_session=botocore.session.Session(session_vars=unconfigured),
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            region_name=stack.region,
        )
        self._endpoint = stack.endpoint
        self._ca_bundle = str(stack.ca_bundle)

    def client(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["endpoint_url"] = kwargs.get("endpoint_url") or self._endpoint
        config = Config(inject_host_prefix=False)
        kwargs["config"] = config.merge(kwargs["config"]) if kwargs.get("config") else config
        kwargs["verify"] = kwargs.get("verify") or self._ca_bundle
        return super().client(*args, **kwargs)


@dataclass(frozen=True)
class EmbeddedStatus:
    """The status of the embedded AWS and PostgreSQL; `dsn` holds the password, so show it only when asked."""

    running: bool
    endpoint: str | None
    region: str
    account: str
    gateway_pid: int | None
    postgres_pid: int | None
    uptime_seconds: float | None
    ca_bundle: Path
    log: Path
    postgres_log: Path
    dsn: str | None


def up(root: Path, progress: Progress = lambda _: None, *, port: int | None = None) -> EmbeddedAws:
    """Start what is not running yet and wait until it answers; calling it again changes nothing.

    State is kept in `root/.atoll`. The AWS port is that of the last time, or `port`, or 4566, or a free one;
    the database's is that of the last time or a free one.
    """
    folders = Folders(root)
    with folders.locked():
        state = _up_postgres(folders, _up_gateway(folders, folders.read(), port, progress), progress)
    return _stack(folders, state)


def down(root: Path, progress: Progress = lambda _: None) -> None:
    """Save everything and stop what is running; calling it again changes nothing."""
    folders = Folders(root)
    if folders.home.exists():
        with folders.locked():
            _stop(folders, progress)


def reset(root: Path, progress: Progress = lambda _: None) -> None:
    """Stop everything and delete its state, so that the next `up` starts with an empty account and database."""
    folders = Folders(root)
    with folders.locked():
        _stop(folders, progress)
        for folder in (folders.aws, folders.postgres_data.parent):
            shutil.rmtree(folder, ignore_errors=True)
        folders.record.unlink(missing_ok=True)


def status(root: Path) -> EmbeddedStatus:
    """The present status; a process that has ended, crashed or was lost in a reboot counts as not running."""
    folders = Folders(root)
    state = folders.read()
    bundle = tls_files(folders.aws / "tls").bundle
    gateway = state.gateway.find() if state.gateway else None
    database = state.postgres.find() if state.postgres else None
    answering = gateway is not None and state.gateway_port is not None and aws.healthy(state.gateway_port, bundle)
    dsn = None
    if database and state.postgres_port and state.postgres_password:
        dsn = postgres.dsn(state.postgres_port, state.postgres_password, "production")
    return EmbeddedStatus(
        running=answering and database is not None,
        endpoint=aws.endpoint(state.gateway_port) if answering and state.gateway_port else None,
        region=aws.REGION,
        account=aws.ACCOUNT,
        gateway_pid=gateway.pid if gateway else None,
        postgres_pid=database.pid if database else None,
        uptime_seconds=time.time() - gateway.create_time() if gateway else None,
        ca_bundle=bundle,
        log=folders.aws_log,
        postgres_log=folders.postgres_log,
        dsn=dsn,
    )


def _stop(folders: Folders, progress: Progress) -> None:
    state = folders.read()
    if state.gateway is not None:
        progress("stopping the embedded AWS")
        aws.stop(folders, state.gateway)
    if state.postgres is not None:
        progress("stopping the embedded PostgreSQL")
        postgres.stop(folders)
    folders.write(state.model_copy(update={"gateway": None, "postgres": None}))


def _up_gateway(folders: Folders, state: LocalState, port: int | None, progress: Progress) -> LocalState:
    if state.gateway is not None and state.gateway.find() is not None and state.gateway_port is not None:
        if aws.answers(folders, state.gateway_port):
            return state
        progress("the embedded AWS runs but does not answer; restarting it")
        aws.stop(folders, state.gateway)
    progress("starting the embedded AWS")
    record, chosen_port = aws.start(folders, state.gateway_port or port)
    progress(f"the embedded AWS answers on {aws.endpoint(chosen_port)}")
    state = state.model_copy(update={"gateway": record, "gateway_port": chosen_port})
    folders.write(state)
    return state


def _up_postgres(folders: Folders, state: LocalState, progress: Progress) -> LocalState:
    if state.postgres is not None and state.postgres.find() is not None:
        return state
    progress("starting the embedded PostgreSQL")
    record, port, password = postgres.start(folders, state.postgres_port, state.postgres_password)
    progress(f"the embedded PostgreSQL listens on port {port}")
    state = state.model_copy(update={"postgres": record, "postgres_port": port, "postgres_password": password})
    folders.write(state)
    return state


def _stack(folders: Folders, state: LocalState) -> EmbeddedAws:
    if state.gateway_port is None or state.postgres_port is None or state.postgres_password is None:
        raise AssertionError("up() records both ports and the password before it returns")
    return EmbeddedAws(folders, state.gateway_port, state.postgres_port, state.postgres_password)
