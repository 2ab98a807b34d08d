"""The connection breaks at each statement of a batch, before it or after it: no row is lost, and none is there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from shared_metadata.errors import RetryLater
from shared_metadata.program import BadRows, Mode
from slices.harness.mysql.tests.database import Database
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, Way, columns

STRIDE = 8  # of the statements of a batch, each case breaks every eighth


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


class Breaking:
    """Breaks a connection of the user's at the statement `at`, before the server gets it or after."""

    def __init__(self, user: str) -> None:
        self.user, self.at, self.after, self.said = user.encode(), -1, False, 0

    def begin(self, at: int, *, after: bool = False) -> None:
        self.at, self.after, self.said = at, after, 0

    def statement(self, cursor: Any, run: Callable[[], Any]) -> Any:
        if cursor.connection.user != self.user:
            return run()
        self.said += 1
        if self.said - 1 != self.at:
            return run()
        if self.after:
            run()
        cursor.connection._force_close()
        raise pymysql.err.OperationalError(2013, "Lost connection to server during query")


@pytest.fixture
def breaking(target: Database, monkeypatch: pytest.MonkeyPatch) -> Breaking:
    found, execute = Breaking(target.of.user), pymysql.cursors.Cursor.execute

    def executed(self: Any, query: Any, args: Any = None) -> Any:
        return found.statement(self, lambda: execute(self, query, args))

    monkeypatch.setattr(pymysql.cursors.Cursor, "execute", executed)
    return found


def broken_off(way: Way, cloud: Cloud, interval: Any) -> None:
    """Runs a batch until it is done."""
    for _ in range(4):
        try:
            way.run(interval)
            return
        except RetryLater:
            cloud.clock.advance(hours=1)
    raise AssertionError("never done")


@pytest.mark.deep
@pytest.mark.nightly(48)
@pytest.mark.budget(60)
@pytest.mark.parametrize("first", range(STRIDE))
@pytest.mark.parametrize("tolerated", [0, 1])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE, Mode.MERGE])
def test_no_row_is_lost_and_none_is_there_twice(
    cloud: Cloud, target: Database, breaking: Breaking, mode: Mode, after: bool, tolerated: int, first: int
) -> None:
    target.execute("CREATE TABLE scorecard (id bigint, x varchar(9) CHECK (x <> 'bad'))")
    bad_rows = BadRows(tolerated) if tolerated else None
    way = HarnessConformance().way(cloud, target, columns(id="long", x="string"), mode=mode, key=("id",), bad_rows=bad_rows)
    like = 1 if mode == Mode.MERGE else 2
    before, second = [row(1)] * like + [row(2)], [row(1), *[row(3)] * like]
    bad = [row(4, "bad")] * tolerated
    way.publish(before)
    for at in range(first, 500, STRIDE):
        if mode == Mode.APPEND:
            target.execute("DELETE FROM scorecard")
        interval = way.put_result([*second, *bad])
        breaking.begin(at, after=after)
        broken_off(way, cloud, interval)
        ended = breaking.said <= at
        breaking.begin(-1)
        assert sorted(target.rows(), key=str) == sorted(second, key=str), at
        assert len(way.rejected(interval)) == tolerated
        assert target.tables_of_receipts() == ["flows", "receipts"], at
        if ended:
            assert at > 30
            return
        way.publish(before)
    raise AssertionError("a batch has no end")


def row(id: int, x: str = "x") -> dict[str, Any]:
    return {"id": id, "x": x}
