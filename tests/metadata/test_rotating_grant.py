"""A rotating grant under many functions at once, under deaths at every point, and beside a Secrets Manager that is behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared_metadata import naming
from shared_metadata.contract.secrets import rotating_grant
from shared_metadata.contract.secrets.grant_lease import GrantLeases
from shared_metadata.contract.secrets.rotating_grant import LEASE_SECONDS, RotatingGrant
from shared_metadata.errors import AtollError, RetryLater, SecretError
from tests.conformance.fixtures import Cloud, cloud

__all__ = ["cloud"]
REFERENCE, PLACE = "rotating", "connection crm (program.sql:2:19)"
GUARDED = ("get_item", "update_item", "get_secret_value", "put_secret_value")


class Died(BaseException):
    """The end of a process: what no handler can catch."""


@dataclass
class Server:
    """Replaces the refresh token at each use; a used one that comes again ends the grant."""

    current: str = "refresh-0"
    used: set[str] = field(default_factory=set)
    access: set[str] = field(default_factory=set)
    reuses: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def exchange(self, secret: Mapping[str, Any]) -> Mapping[str, Any]:
        with self.lock:
            if secret["refresh_token"] != self.current:
                self.reuses += secret["refresh_token"] in self.used
                self.access.clear()
                self.current = ""
                raise SecretError("Salesforce refused the credentials: invalid_grant")
            self.used.add(self.current)
            number = len(self.used)
            self.current, token = f"refresh-{number}", f"access-{number}"
            self.access.add(token)
            return {"access_token": token, "refresh_token": self.current, "instance_url": "https://x"}


class Life:
    """The calls of a process to others, one of which it may not survive: its name and number ▸ before or after its effect."""

    def __init__(self, dies_at: int = 0, after: bool = False) -> None:
        self._dies_at, self._after, self.calls = dies_at, after, list[str]()

    def guard(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) == self._dies_at and not self._after:
                raise Died
            result = function(*arguments, **named)
            if len(self.calls) == self._dies_at:
                raise Died
            return result

        return call


class Guarded:
    """A client whose calls are those of a life."""

    def __init__(self, client: Any, life: Life) -> None:
        self._client, self._life = client, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._life.guard(name, found) if name in GUARDED else found


class Scene:
    """A secret with a refresh token, and functions that use it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.server = cloud, Server()
        self.secrets = cloud.session.client("secretsmanager")
        self.dynamodb = cloud.session.client("dynamodb")
        self.store({"client_id": "app", "refresh_token": self.server.current})

    def store(self, values: Mapping[str, Any]) -> None:
        """As somebody does who authorises."""
        self.cloud.put_secret(REFERENCE, values)

    def grant(self, life: Life | None = None, secrets: Any = None, seconds: float = 600.0) -> RotatingGrant:
        alive = life or Life()
        leases = GrantLeases(Guarded(self.dynamodb, alive), self.cloud.table, self.cloud.clock)  # type: ignore[arg-type]
        store = secrets or Guarded(self.secrets, alive)
        return RotatingGrant(leases, store, REFERENCE, PLACE, lambda: seconds)

    def access(self, life: Life | None = None, refused: str = "", **how: Any) -> str:
        alive = life or Life()
        exchange = alive.guard("exchange", self.server.exchange)
        return str(self.grant(alive, **how).access(exchange, refused)["access_token"])

    def at_once(self, workers: int, refused: str = "") -> list[str]:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda _: self.access(refused=refused), range(workers)))


@pytest.fixture
def scene(cloud: Cloud) -> Scene:
    return Scene(cloud)


def test_the_first_one_exchanges_and_all_others_read_what_it_wrote(scene: Scene) -> None:
    assert [scene.access(), scene.access()] == ["access-1", "access-1"]
    stored = scene.secrets.get_secret_value(SecretId=naming.secret(REFERENCE))["SecretString"]
    assert '"refresh-1"' in stored and '"access-1"' in stored and '"client_id": "app"' in stored


def test_a_refused_token_is_renewed_once_however_many_were_refused(scene: Scene) -> None:
    token = ""
    for number in range(1, 5):
        assert set(scene.at_once(8, refused=token)) == {f"access-{number}"}
        token = f"access-{number}"
    assert (len(scene.server.used), scene.server.reuses) == (4, 0)


@pytest.mark.parametrize("renewed_before", [0, 1])
def test_no_death_breaks_the_grant_but_one_between_the_exchange_and_the_write_back(cloud: Cloud, renewed_before: int) -> None:
    def fresh() -> tuple[Scene, str]:
        cloud.forget_secrets()
        cloud.dynamodb.delete_item(TableName=cloud.table, Key={"pk": {"S": f"GRANT#{REFERENCE}"}, "sk": {"S": "LEASE"}})
        scene = Scene(cloud)
        return scene, scene.access() if renewed_before else ""

    whole, (first, ended) = Life(), fresh()
    first.access(whole, ended)
    exchange, lost = whole.calls.index("exchange"), set()
    for number, name in enumerate(whole.calls, 1):
        for after in (False, True):
            scene, ended = fresh()
            with pytest.raises(Died):
                scene.access(Life(number, after), ended)
            cloud.clock.advance(seconds=LEASE_SECONDS + 1)
            try:
                (token,) = set(scene.at_once(3, ended))
            except SecretError as error:
                assert "authorise again" in str(error) and "died at it" in str(error)
                lost.add((number - 1 - exchange, name, after))
                continue
            assert token in scene.server.access and token != ended
            assert scene.access(refused=token) in scene.server.access and scene.server.reuses == 0
    assert lost == {(0, "exchange", True), (1, "put_secret_value", False)}
    assert whole.calls.count("put_secret_value") == 2 - renewed_before  # at first it is tried out


def test_while_a_holder_is_at_work_others_wait_and_then_read_what_it_wrote(scene: Scene) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def slow(secret: Mapping[str, Any]) -> Mapping[str, Any]:
        began.set()
        assert goes_on.wait(20)
        return scene.server.exchange(secret)

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(scene.grant().access, slow)
        assert began.wait(20)
        waiting = pool.submit(scene.access)
        assert not waiting.done()
        goes_on.set()
        assert holder.result()["access_token"] == waiting.result() == "access-1"


def test_waiting_ends_before_the_function_does(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating_grant, "LONGEST_WAIT_SECONDS", 0.2)
    with pytest.raises(Died):
        scene.access(Life(4))  # with the lease
    with pytest.raises(RetryLater, match="another function renews"):
        scene.access()
    assert not scene.server.used


def test_an_exchange_whose_outcome_is_unknown_is_not_repeated_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating_grant, "LONGEST_WAIT_SECONDS", 0.2)

    def unknown(secret: Mapping[str, Any]) -> Mapping[str, Any]:
        raise RetryLater("no answer")

    with pytest.raises(RetryLater, match="no answer"):
        scene.grant().access(unknown)
    with pytest.raises(RetryLater, match="another function"):
        scene.access()
    scene.cloud.clock.advance(seconds=LEASE_SECONDS + 1)
    assert scene.access() == "access-1"


def test_who_has_little_time_left_does_not_begin(scene: Scene) -> None:
    with pytest.raises(RetryLater, match="too little time"):
        scene.access(seconds=30.0)
    assert not scene.server.used
    scene.access()
    assert scene.access(seconds=30.0) == "access-1"


def test_who_stood_still_while_it_held_the_lease_does_not_exchange(scene: Scene) -> None:
    life = Life()
    grant = scene.grant(life)
    put = scene.secrets.put_secret_value

    def pausing(**named: Any) -> Any:
        scene.cloud.clock.advance(seconds=LEASE_SECONDS)
        assert scene.access() == "access-1"  # another took over
        return put(**named)

    grant._secrets = _Replaced(scene.secrets, put_secret_value=pausing)  # type: ignore[assignment]
    with pytest.raises(RetryLater, match="run out"):
        grant.access(scene.server.exchange)
    assert (scene.server.reuses, scene.access()) == (0, "access-1")


def test_what_cannot_be_written_is_not_exchanged(scene: Scene) -> None:
    def denied(**_: Any) -> Any:
        raise scene.secrets.exceptions.ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutSecretValue")

    with pytest.raises(SecretError, match=r"writing the secret atoll/rotating was denied.*`atoll deploy` again"):
        scene.access(secrets=_Replaced(scene.secrets, put_secret_value=denied))
    assert not scene.server.used and scene.access() == "access-1"


def test_a_copy_of_the_secret_that_is_behind_is_not_believed(scene: Scene) -> None:
    old = scene.secrets.get_secret_value(SecretId=naming.secret(REFERENCE))
    for number in range(1, 4):
        newest = scene.access(refused=f"access-{number - 1}")

        def behind(old: Any = old, **named: Any) -> Any:
            return scene.secrets.get_secret_value(**named) if "VersionId" in named else old

        lagging = _Replaced(scene.secrets, get_secret_value=behind)
        assert scene.access(secrets=lagging) == newest == f"access-{number}"
        old = scene.secrets.get_secret_value(SecretId=naming.secret(REFERENCE))
    assert scene.server.reuses == 0


def test_who_authorises_again_is_believed(scene: Scene) -> None:
    scene.access()
    scene.server = Server(current="by hand")
    with pytest.raises(SecretError, match="authorise again"):
        scene.access(refused="access-1")
    scene.server = Server(current="by hand")
    scene.store({"client_id": "app", "refresh_token": "by hand"})
    assert set(scene.at_once(3)) == {"access-1"} and scene.server.used == {"by hand"}


def test_no_token_is_in_the_metadata_table_or_in_an_error(scene: Scene) -> None:
    scene.access()
    items = str(scene.dynamodb.scan(TableName=scene.cloud.table)["Items"])
    assert f"GRANT#{REFERENCE}" in items and "refresh-" not in items and "access-" not in items
    scene.server.current = ""
    with pytest.raises(AtollError) as raised:
        scene.access(refused="access-1")
    assert "refresh-" not in str(raised.value) and PLACE in str(raised.value)


class _Replaced:
    """A client with some calls of the test's own."""

    def __init__(self, client: Any, **calls: Callable[..., Any]) -> None:
        self._client, self._calls = client, calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._client, name)
