"""Whatever step of a captured batch its function dies at, before it or after, the next attempt loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
import pytest
from pymysqlreplication import BinLogStreamReader

from slices.collect.mysql.tests.captured import Capturing
from tests.conformance.capture_faults import Striking, places, struck
from tests.conformance.capturing import begun

EXECUTE, FETCH = pymysql.cursors.Cursor.execute, BinLogStreamReader.fetchone


@contextmanager
def steps(striking: Striking) -> Iterator[None]:
    """The statements of the slice's sessions, and each event that it reads of the log."""

    def execute(cursor, *given, **more):
        if cursor.connection.user == b"root":
            return EXECUTE(cursor, *given, **more)
        return striking.does(lambda: EXECUTE(cursor, *given, **more), cursor.connection.close)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pymysql.cursors.Cursor, "execute", execute)
        patched.setattr(BinLogStreamReader, "fetchone", lambda reader: striking.does(lambda: FETCH(reader), reader.close))
        yield


def change(capturing: Capturing, number: int) -> None:
    """Something of each kind."""
    capturing.all(
        f"INSERT INTO thing VALUES ({number + 100}, 'made', REPEAT('m', 9000))",
        f"UPDATE thing SET name = 'changed {number}' WHERE id % 2 = {number % 2}",
        f"DELETE FROM thing WHERE id = {number + 95}",
        "SET binlog_row_image = 'MINIMAL'",
        f"UPDATE thing SET id = {number + 100_000} WHERE id = {number + 97}",
        f"INSERT INTO thing (id) VALUES ({number + 200_000})",
    )


@pytest.mark.budget(600)
@pytest.mark.sampled(4)
@pytest.mark.parametrize("share", range(8))
def test_no_step_is_one_at_which_a_batch_may_not_end(capturing: Capturing, share: int) -> None:
    capturing.make()
    begun(capturing, "(1, 'one', REPEAT('x', 9000)), (2, 'two', NULL)")
    change(capturing, 0)
    most = struck(capturing, steps, None, after=False)
    assert most > 40
    assert capturing.rows() == capturing.source()
    for number, (at, after) in enumerate(places(most), 1):
        if number % 8 != share:
            continue
        change(capturing, number)
        struck(capturing, steps, at, after=after)
        capturing.later()
        change(capturing, number + 500)
        capturing.run()
        assert capturing.rows() == capturing.source(), (at, after)


@pytest.mark.deep
@pytest.mark.budget(600)
def test_a_new_copy_may_end_at_any_step(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one', NULL)")
    capturing.all("ALTER TABLE thing COMMENT 'anew'", "ALTER TABLE thing ADD CHECK (id > 0)")
    most = struck(capturing, steps, None, after=False)
    assert capturing.was_whole()
    for number, (at, after) in enumerate(places(most), 1):
        if number % 3:
            continue
        change(capturing, number)
        capturing.all("ALTER TABLE thing FORCE")
        struck(capturing, steps, at, after=after)
        capturing.later()
        change(capturing, number + 500)
        capturing.run()
        assert capturing.rows() == capturing.source(), (at, after)
