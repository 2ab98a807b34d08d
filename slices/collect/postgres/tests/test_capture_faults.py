"""Whatever statement of a captured batch its function dies at, before it or after, the next attempt loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from slices.collect.postgres.tests.captured import Capturing, begun, forget_slots
from tests.conformance.capture_faults import Striking, places, struck

EXECUTE = psycopg.Cursor.execute


@contextmanager
def statements(striking: Striking) -> Iterator[None]:
    """Those of the slice's sessions."""

    def execute(cursor, *given, **more):
        if cursor.connection.info.get_parameters().get("application_name") != "atoll":
            return EXECUTE(cursor, *given, **more)
        return striking.does(lambda: EXECUTE(cursor, *given, **more), cursor.connection.close)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", execute)
        yield


def change(capturing: Capturing, number: int) -> None:
    """Something of each kind."""
    run = capturing.database.run
    run(f"INSERT INTO thing VALUES ({number + 100}, 'made', repeat('m', 9000))")
    run(f"UPDATE thing SET name = 'changed {number}' WHERE id % 2 = {number % 2}")
    run(f"DELETE FROM thing WHERE id = {number + 95}")
    run(f"UPDATE thing SET id = {number + 1000} WHERE id = {number + 97}")


@pytest.mark.budget(300)
@pytest.mark.sampled(4)
@pytest.mark.parametrize("share", range(4))
def test_no_statement_is_one_at_which_a_batch_may_not_end(capturing: Capturing, share: int) -> None:
    capturing.make()
    capturing.database.run("ALTER TABLE thing ALTER big SET STORAGE EXTERNAL")
    begun(capturing, "(1, 'one', repeat('x', 9000)), (2, 'two', NULL)")
    change(capturing, 0)
    most = struck(capturing, statements, None, after=False)
    assert most > 10
    assert capturing.rows() == capturing.source()
    for number, (at, after) in enumerate(places(most), 1):
        if number % 4 != share:
            continue
        change(capturing, number)
        struck(capturing, statements, at, after=after)
        capturing.later()
        change(capturing, number + 500)
        capturing.run()
        assert capturing.rows() == capturing.source(), (at, after)


@pytest.mark.deep
@pytest.mark.budget(300)
def test_the_first_copy_may_end_at_any_statement(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one', NULL)")
    forget_slots(capturing.database)
    most = struck(capturing, statements, None, after=False)
    assert capturing.manifest().get("whole", False)
    for number, (at, after) in enumerate(places(most), 1):
        change(capturing, number)
        forget_slots(capturing.database)
        struck(capturing, statements, at, after=after)
        capturing.later()
        change(capturing, number + 500)
        capturing.run()
        assert capturing.rows() == capturing.source(), (at, after)
