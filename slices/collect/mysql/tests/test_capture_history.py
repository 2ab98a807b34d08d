"""After a batch of any history the warehouse has what the source has."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slices.collect.mysql.tests.captured import GRANTS, Capturing
from tests.conformance.collect import crashing
from tests.conformance.fixtures import open_cloud
from tests.mariadb import Server, fresh_database

opened = contextlib.contextmanager(open_cloud)
# What is done, over two numbers.
DONE = {
    "insert": ("REPLACE INTO thing VALUES ({0}, 'made {1}', 'a')",),
    "update": ("UPDATE thing SET name = 'changed {1}' WHERE id = {0}",),
    "mood": ("UPDATE thing SET mood = 'b' WHERE id = {0}",),
    "short": ("SET binlog_row_image = 'MINIMAL'", "UPDATE thing SET name = 'short {1}' WHERE id = {0}"),
    "delete": ("DELETE FROM thing WHERE id = {0}",),
    "move": ("UPDATE IGNORE thing SET id = {1} WHERE id = {0}",),
    "truncate": ("TRUNCATE thing",),
    "abort": ("BEGIN", "DELETE FROM thing WHERE id = {0}", "INSERT INTO thing VALUES ({1} + 100, 'lost', 'a')", "ROLLBACK"),
    "some": ("BEGIN", "UPDATE thing SET name = 'kept' WHERE id = {0}", "SAVEPOINT s", "DELETE FROM thing", "ROLLBACK TO s", "COMMIT"),
    "alter": ("ALTER TABLE thing ADD CHECK (id >= -{1})",),
    "swap": (
        *("CREATE TABLE new LIKE thing", "INSERT INTO new VALUES ({0}, 'new', 'a')"),
        *("RENAME TABLE thing TO old, new TO thing", "DROP TABLE old"),
    ),
    "statement": ("SET binlog_format = 'STATEMENT'", "UPDATE thing SET name = 'by statement' WHERE id = {0}"),
    "rotate": ("FLUSH BINARY LOGS",),
}  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from([*DONE, "purge", "batch", "crash"]), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25
)


@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.budget(240)
def test_after_a_batch_of_any_history_the_warehouse_has_what_the_source_has(
    logging_server: Server, steps: list[tuple[str, int, int]]
) -> None:
    with fresh_database(logging_server, GRANTS) as database, pytest.MonkeyPatch.context() as patched, opened(patched) as cloud:
        capturing = Capturing(cloud, database)
        capturing.make("id int PRIMARY KEY, name varchar(40), mood enum('a', 'b')")
        capturing.apply()
        for word, one, other in [*steps, ("batch", 0, 0)]:
            if word in DONE:
                capturing.all(*(statement.format(one, other) for statement in DONE[word]))
            elif word == "purge":
                capturing.all("FLUSH BINARY LOGS")
                capturing.purge()
            else:
                capturing.later()
                with contextlib.suppress(KeyboardInterrupt):
                    capturing.run(crashing if word == "crash" else None)
                assert word == "crash" or capturing.rows() == capturing.source()
