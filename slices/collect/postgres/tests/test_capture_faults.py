"""Whatever statement of a captured batch its function dies at, before it or after, the next attempt loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared_metadata.errors import RetryLater
from slices.collect.postgres.tests.captured import Capturing, begun, forget_slots

EXECUTE = psycopg.Cursor.execute


class Striking:
    """Counts the statements that the slice's sessions run, and ends the process at one of them, as far as the test goes.

    at: which of them, None for none.  after: whether the server has run it.
    """

    def __init__(self, at: int | None, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0

    def execute(self, cursor: Any, query: Any, *given: Any, **more: Any) -> Any:
        if cursor.connection.info.get_parameters().get("application_name") != "atoll":
            return EXECUTE(cursor, query, *given, **more)
        self.count += 1
        if self.count - 1 != self.at:
            return EXECUTE(cursor, query, *given, **more)
        if self.after:
            EXECUTE(cursor, query, *given, **more)
        cursor.connection.close()
        raise KeyboardInterrupt  # what no handler can catch and record


def struck(capturing: Capturing, at: int | None, *, after: bool) -> int:
    """Runs a batch that dies there; how many statements it came to."""
    striking = Striking(at, after=after)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", lambda cursor, *given, **more: striking.execute(cursor, *given, **more))
        try:
            capturing.run()
        except (KeyboardInterrupt, RetryLater):  # the latter of what settles a session in the end, and finds it gone
            assert at is not None
    return striking.count


def change(capturing: Capturing, number: int) -> None:
    """Something of each kind."""
    run = capturing.database.run
    run(f"INSERT INTO thing VALUES ({number + 100}, 'made', repeat('m', 9000))")
    run(f"UPDATE thing SET name = 'changed {number}' WHERE id % 2 = {number % 2}")
    run(f"DELETE FROM thing WHERE id = {number + 95}")
    run(f"UPDATE thing SET id = {number + 1000} WHERE id = {number + 97}")


def places(most: int) -> Iterator[tuple[int, bool]]:
    yield from ((at, after) for at in range(most) for after in (False, True))


@pytest.mark.budget(300)
@pytest.mark.sampled(4)
@pytest.mark.parametrize("share", range(4))
def test_no_statement_is_one_at_which_a_batch_may_not_end(capturing: Capturing, share: int) -> None:
    capturing.make()
    capturing.database.run("ALTER TABLE thing ALTER big SET STORAGE EXTERNAL")
    begun(capturing, "(1, 'one', repeat('x', 9000)), (2, 'two', NULL)")
    change(capturing, 0)
    most = struck(capturing, None, after=False)
    assert most > 10
    assert capturing.rows() == capturing.source()
    for number, (at, after) in enumerate(places(most), 1):
        if number % 4 != share:
            continue
        change(capturing, number)
        struck(capturing, at, after=after)
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
    most = struck(capturing, None, after=False)
    assert capturing.manifest().get("whole", False)
    for number, (at, after) in enumerate(places(most), 1):
        change(capturing, number)
        forget_slots(capturing.database)
        struck(capturing, at, after=after)
        capturing.later()
        change(capturing, number + 500)
        capturing.run()
        assert capturing.rows() == capturing.source(), (at, after)
