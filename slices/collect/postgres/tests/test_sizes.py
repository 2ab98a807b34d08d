"""How large tables are, as PostgreSQL estimates it, and what takes too long to read."""

from __future__ import annotations

from typing import Any

import pytest

from shared_metadata.contract.sizes import Asked, Given, Size
from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Table
from slices.collect.postgres.client import open_source
from slices.collect.postgres.sizes import too_much
from slices.collect.postgres.tests.database import Database

HERE = Position("p.sql", 1, 1)
GB, FUNCTIONS = 2**30, {"extract": Given(2048, 2048, 900)}


def asked(size: int | None, cursor: str = "", mode: Mode = Mode.MERGE, **options: object) -> Asked:
    table = Table("lake.ops.flights:staged", "public.flights")
    how: dict[str, Any] = {"mode": mode, "cursor": cursor} if cursor else {}
    flow = Flow("lake.ops.flights", Kind.COLLECT, "collect.postgres", "lake", 3600, (table,), HERE, connection="ops", **how)
    return Asked(flow, table, Size(None, size), options=options)


@pytest.mark.parametrize(
    ("size", "cursor", "options", "refused"),
    [
        (40 * GB, "", {}, []),
        (1000 * GB, "", {}, [False]),
        (1000 * GB, "updated_at", {}, []),
        (1000 * GB, "updated_at", {"mode": Mode.APPEND}, [False]),
        (50_000 * GB, "", {}, [True]),
        (100_000 * GB, "updated_at", {"mode": Mode.APPEND, "max_parts": 64}, [True]),
        (500_000 * GB, "updated_at", {}, [True]),
        (500_000 * GB, "updated_at", {"max_parts": 64}, []),
        (None, "", {}, []),
    ],
)
def test_what_takes_several_calls_without_a_cursor_is_told_and_what_takes_over_a_week_is_refused(
    size: int | None, cursor: str, options: dict[str, Any], refused: list[bool]
) -> None:
    assert [one.refused for one in too_much(asked(size, cursor, **options), FUNCTIONS)] == refused


def test_tables_never_analysed_views_and_partitioned_ones_have_sizes_and_what_is_not_there_has_none(database: Database) -> None:
    database.run("CREATE TABLE t (id int, note text) WITH (autovacuum_enabled = false)")
    database.run("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i")
    database.run("CREATE VIEW v AS SELECT * FROM t UNION ALL SELECT * FROM t")
    database.run("CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100000)")
    database.run("INSERT INTO p SELECT generate_series(1, 20000); ANALYZE p")
    source = open_source(Connection("ops", "postgres", {"secret": "ops"}, HERE), database.secret, aws=None)
    try:
        found = source.sizes(["public.t", "public.v", "public.p", "public.gone"])
    finally:
        source.close()
    assert found.keys() == {"public.t", "public.v", "public.p"}
    rows = {name: size.rows or 0 for name, size in found.items()}
    assert 5_000 < rows["public.t"] < 80_000 and rows["public.v"] == pytest.approx(2 * rows["public.t"], rel=0.1)
    assert rows["public.p"] == 20_000
    assert all((size.bytes or 0) > 2**19 for size in found.values())


def test_a_size_is_asked_for_without_reading_a_row(database: Database) -> None:
    database.run("CREATE FUNCTION slow() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1 FROM pg_sleep(60)'")
    database.run("CREATE VIEW v AS SELECT slow() AS one FROM generate_series(1, 1000)")
    source = open_source(Connection("ops", "postgres", {"secret": "ops"}, HERE), database.secret, aws=None)
    try:
        assert source.sizes(["public.v"])["public.v"].rows == 1000
    finally:
        source.close()
