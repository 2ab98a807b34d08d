"""The embedded AWS and PostgreSQL start, survive restarts and crashes, and say what is wrong."""

import os
import signal
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import boto3
import psutil
import psycopg
import pytest

from infra.embedded import EmbeddedAws, EmbeddedError, aws, down, postgres, reset, status, up
from infra.embedded.ports import free_port
from infra.embedded.state import Folders, ProcessRecord, wait_until

pytestmark = pytest.mark.xdist_group("emulator")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("embedded")
    try:
        yield folder
    finally:
        down(folder)


@pytest.fixture
def stack(root: Path) -> EmbeddedAws:
    return up(root, port=free_port())


def _put_everywhere(session: boto3.Session, mark: str) -> None:
    session.client("dynamodb").create_table(
        TableName=mark,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    session.client("dynamodb").put_item(TableName=mark, Item={"pk": {"S": mark}})
    session.client("s3").create_bucket(Bucket=mark)
    session.client("s3").put_object(Bucket=mark, Key="key", Body=mark.encode())
    session.client("secretsmanager").create_secret(Name=mark, SecretString=mark)


def _read_everywhere(session: boto3.Session, mark: str) -> tuple[str, str, str]:
    item = session.client("dynamodb").get_item(TableName=mark, Key={"pk": {"S": mark}})["Item"]["pk"]["S"]
    body = session.client("s3").get_object(Bucket=mark, Key="key")["Body"].read().decode()
    secret = session.client("secretsmanager").get_secret_value(SecretId=mark)["SecretString"]
    return item, body, secret


def test_a_second_up_changes_nothing(root: Path, stack: EmbeddedAws) -> None:
    before = status(root)
    assert up(root) == stack
    after = status(root)
    assert (after.gateway_pid, after.postgres_pid) == (before.gateway_pid, before.postgres_pid)


def test_status_tells_where_everything_is(root: Path, stack: EmbeddedAws) -> None:
    now = status(root)
    assert now.running
    assert now.endpoint == stack.endpoint
    assert now.uptime_seconds is not None and now.uptime_seconds > 0
    assert now.ca_bundle == stack.ca_bundle and now.ca_bundle.exists()
    assert now.log.exists() and now.postgres_log.exists()


def test_item_object_secret_and_rows_survive_a_restart(root: Path, stack: EmbeddedAws) -> None:
    _put_everywhere(stack.session(), "restart")
    with psycopg.connect(stack.database("shop")) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 7 AS id")

    down(root)
    assert not status(root).running
    again = up(root)

    assert again == stack, "addresses and password stay the same"
    assert _read_everywhere(again.session(), "restart") == ("restart", "restart", "restart")
    with psycopg.connect(again.database("shop")) as connection:
        assert connection.execute("SELECT id FROM orders").fetchone() == (7,)


@pytest.mark.deep
@pytest.mark.sampled(2)
@pytest.mark.parametrize("interval_seconds", ["0.2", "3600"])
def test_state_survives_a_crash_that_comes_after_the_regular_save_or_one_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval_seconds: str
) -> None:
    monkeypatch.setenv("ATOLL_SAVE_INTERVAL_SECONDS", interval_seconds)
    try:
        stack = up(tmp_path, port=free_port())
        _put_everywhere(stack.session(), "crash")
        if interval_seconds == "3600":
            os.kill(status(tmp_path).gateway_pid or 0, signal.SIGUSR1)
        saved = Folders(tmp_path).aws / "state" / "secretsmanager.json"
        wait_until(lambda: saved.exists() and "crash" in saved.read_text(), 20, f"{saved} was not written")
        _kill(status(tmp_path).gateway_pid)
        assert not status(tmp_path).running

        assert _read_everywhere(up(tmp_path).session(), "crash") == ("crash", "crash", "crash")
    finally:
        down(tmp_path)


def test_postgres_that_was_killed_starts_again_with_its_rows(root: Path, stack: EmbeddedAws) -> None:
    with psycopg.connect(stack.database("killed"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
    _kill(status(root).postgres_pid)

    with psycopg.connect(up(root).database("killed")) as connection:
        assert connection.execute("SELECT id FROM kept").fetchone() == (1,)


def test_postgres_takes_another_port_if_its_own_is_taken_while_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = Folders(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        found = iter([taken])
        monkeypatch.setattr(postgres, "free_port", lambda port: next(found, None) or free_port(port))
        try:
            _, port, _ = postgres.start(folders, taken, None)
            assert port != taken
        finally:
            postgres.stop(folders)


def test_postgres_refuses_a_wrong_password(stack: EmbeddedAws) -> None:
    address = stack.database("guarded").replace(stack.postgres_password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


@pytest.mark.deep
def test_reset_leaves_nothing_behind(tmp_path: Path) -> None:
    try:
        _put_everywhere(up(tmp_path, port=free_port()).session(), "forgotten")
        reset(tmp_path)
        assert not status(tmp_path).running
        assert up(tmp_path, port=free_port()).session().client("s3").list_buckets()["Buckets"] == []
    finally:
        down(tmp_path)


@pytest.mark.deep
def test_a_taken_port_gives_way_to_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        try:
            stack = up(tmp_path, port=taken)
            assert stack.gateway_port != taken
            assert stack.session().client("sts").get_caller_identity()["Account"] == stack.account
        finally:
            down(tmp_path)


def test_a_port_that_is_taken_while_it_starts_gives_way_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        found = iter([taken])
        monkeypatch.setattr(aws, "free_port", lambda port: next(found, None) or free_port(port))
        folders = Folders(tmp_path)
        record, port = aws.start(folders, taken)
        aws.stop(folders, record)
        assert port != taken


def test_it_listens_on_the_loopback_interface_only(root: Path, stack: EmbeddedAws) -> None:
    now = status(root)
    listening = [
        connection.laddr.ip
        for pid in (now.gateway_pid, now.postgres_pid)
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 2, "one port each"
    assert set(listening) == {"127.0.0.1"}


def test_a_client_without_the_bundle_does_not_trust_it(stack: EmbeddedAws) -> None:
    with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{stack.endpoint}/_ministack/health", context=ssl.create_default_context(), timeout=5)


def test_a_start_that_fails_names_the_log_and_the_remedy(tmp_path: Path) -> None:
    tls = Folders(tmp_path).aws / "tls"
    try:
        up(tmp_path, port=free_port())
        down(tmp_path)
        (tls / "server.key").write_text("not a key")
        with pytest.raises(EmbeddedError, match=r"gateway\.log; `atoll local up --fresh`"):
            up(tmp_path)
    finally:
        down(tmp_path)


def test_an_unreadable_record_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.home.mkdir()
    folders.record.write_text("{")
    with pytest.raises(EmbeddedError, match=r"local\.json cannot be read .* Delete the folder"):
        status(tmp_path)


def test_a_process_id_that_now_belongs_to_another_process_does_not_count_as_running() -> None:
    mine = ProcessRecord.of(os.getpid())
    assert mine.find() is not None
    assert mine.model_copy(update={"created_seconds": mine.created_seconds - 3600}).find() is None


def _kill(pid: int | None) -> None:
    assert pid is not None
    process = psutil.Process(pid)
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 10, "still running")
