"""Rows that come without a new cursor value, with the table, partition or view that holds them, come with the next batch."""

from __future__ import annotations

from typing import Any

import pytest

from shared_metadata.program import Column, Mode
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_cursors import MERGED, ordinary
from slices.collect.postgres.tests.test_source import collect, refusal, staged
from systems.sql_source.members import Member, Members
from tests.conformance.collect import Collecting

# What is there at first ▸ in which way rows come then: {old} is a cursor value of before the first batch, {new} one of the second.
PARENT = "CREATE TABLE t (id int, at {kind}, note text) PARTITION BY "
RANGE = "CREATE TABLE p1 PARTITION OF t FOR VALUES FROM (0) TO (10)"
OLDER = "CREATE TABLE p2 (note text, at {kind}, id int); INSERT INTO p2 (id, at) VALUES (11, {old}), (12, NULL), (13, {new})"
ATTACHED: dict[str, tuple[str, str]] = {
    "a partition of a range": (
        f"{PARENT} RANGE (id); {RANGE}; INSERT INTO t VALUES (1, {{first}})",
        f"{OLDER}; ALTER TABLE t ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)",
    ),
    "a partition of a list, in a transaction": (
        f"{PARENT} LIST (id); CREATE TABLE p1 PARTITION OF t FOR VALUES IN (1); INSERT INTO t VALUES (1, {{first}})",
        f"BEGIN; {OLDER}; ALTER TABLE t ATTACH PARTITION p2 FOR VALUES IN (11, 12, 13); COMMIT",
    ),
    "a partition of a hash": (
        (
            f"{PARENT} HASH (id); CREATE TABLE p1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
            "INSERT INTO t SELECT i, {first} FROM generate_series(1, 20) i WHERE satisfies_hash_partition('t'::regclass, 2, 0, i)"
        ),
        (
            "CREATE TABLE p2 (id int, at {kind}, note text); INSERT INTO p2 SELECT i, {old} FROM generate_series(1, 20) i"
            " WHERE satisfies_hash_partition('t'::regclass, 2, 1, i);"
            "ALTER TABLE t ATTACH PARTITION p2 FOR VALUES WITH (MODULUS 2, REMAINDER 1)"
        ),
    ),
    "the partition of all else": (
        f"{PARENT} RANGE (id); {RANGE}; INSERT INTO t VALUES (1, {{first}})",
        f"{OLDER}; ALTER TABLE t ATTACH PARTITION p2 DEFAULT",
    ),
    "a tree of partitions": (
        f"{PARENT} RANGE (id); {RANGE}; INSERT INTO t VALUES (1, {{first}})",
        (
            "CREATE TABLE s (id int, at {kind}, note text) PARTITION BY RANGE (id);"
            "CREATE TABLE s1 PARTITION OF s FOR VALUES FROM (10) TO (20);"
            "INSERT INTO s VALUES (11, {old}); ALTER TABLE t ATTACH PARTITION s FOR VALUES FROM (10) TO (20)"
        ),
    ),
    "a table that inherits": (
        "CREATE TABLE t (id int, at {kind}, note text); INSERT INTO t VALUES (1, {first})",
        f"{OLDER}; ALTER TABLE p2 INHERIT t",
    ),
}
MADE = "CREATE TABLE b (id int, at {kind}, note text); INSERT INTO b VALUES (1, {first}); CREATE MATERIALIZED VIEW t AS TABLE b"
REPLACED: dict[str, tuple[str, str]] = {
    "another table by the same name": (
        "CREATE TABLE t (id int, at {kind}, note text); INSERT INTO t VALUES (1, {first})",
        "CREATE TABLE n (LIKE t); INSERT INTO n VALUES (1, {first}), (2, {old}); ALTER TABLE t RENAME TO o;ALTER TABLE n RENAME TO t",
    ),
    "a table that was emptied and filled anew": (
        "CREATE TABLE t (id int, at {kind}, note text); INSERT INTO t VALUES (1, {first})",
        "TRUNCATE t; INSERT INTO t VALUES (1, {first}), (2, {old}), (3, NULL)",
    ),
    "a table that was filled anew by rows that are frozen at once": (
        "CREATE TABLE t (id int, at {kind}, note text); INSERT INTO t VALUES (1, {first})",
        "BEGIN; TRUNCATE t; COPY t (id) FROM PROGRAM 'printf 2' (FREEZE); COMMIT",
    ),
    "a column that was converted": (
        "CREATE TABLE t (id int, at {kind}, note int); INSERT INTO t VALUES (1, {first}, 1)",
        "DROP VIEW v; ALTER TABLE t ALTER COLUMN note TYPE bigint USING note * 60",
    ),
    "a stored column that computes something else": (
        "CREATE TABLE t (id int, at {kind}, note int GENERATED ALWAYS AS (id * 2) STORED); INSERT INTO t VALUES (1, {first})",
        "ALTER TABLE t ALTER COLUMN note SET EXPRESSION AS (id * 3)",
    ),
    "an enum's label that is renamed": (
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int, at {kind}, note mood); INSERT INTO t VALUES (1, {first}, 'a')",
        "ALTER TYPE mood ADD VALUE 'c'; ALTER TYPE mood RENAME VALUE 'a' TO 'z'",
    ),
    "a virtual column that computes something else": (
        "CREATE TABLE t (id int, at {kind}, note int GENERATED ALWAYS AS (id * 2) VIRTUAL); INSERT INTO t VALUES (1, {first})",
        "ALTER TABLE t ALTER COLUMN note SET EXPRESSION AS (id * 3)",
    ),
    "a column that goes and comes again with a default": (
        "CREATE TABLE t (id int, at {kind}, note text); INSERT INTO t VALUES (1, {first}, 'a')",
        "DROP VIEW v; ALTER TABLE t DROP COLUMN note; ALTER TABLE t ADD COLUMN note text DEFAULT 'new'",
    ),
    "a column that takes another's name": (
        "CREATE TABLE t (id int, at {kind}, note text, fresh text); INSERT INTO t VALUES (1, {first}, 'a', 'b')",
        "DROP VIEW v; ALTER TABLE t RENAME note TO old; ALTER TABLE t RENAME fresh TO note",
    ),
    "a column of a partitioned table that comes again with a default": (
        f"{PARENT} RANGE (id); {RANGE}; INSERT INTO t VALUES (1, {{first}}, 'a')",
        "DROP VIEW v; ALTER TABLE t DROP COLUMN note; ALTER TABLE t ADD COLUMN note text DEFAULT 'new'",
    ),
    "a materialized view that is refreshed": (
        MADE,
        "INSERT INTO b VALUES (2, {old}), (3, NULL); REFRESH MATERIALIZED VIEW t",
    ),
}
CONCURRENTLY = (
    f"{MADE}; CREATE UNIQUE INDEX ON t (id)",
    "INSERT INTO b VALUES (2, {old}); REFRESH MATERIALIZED VIEW CONCURRENTLY t",
)
SOURCES = {
    "table": ("public.t", ""),
    "query": ("", "SELECT id, at, note || '' AS note FROM public.t"),
    "view": ("public.v", ""),
}
WAYS = {**ATTACHED, **REPLACED}


APPENDED: dict[str, Any] = {"mode": Mode.APPEND, "cursor": "at"}


def run(database: Database, collecting: Collecting, kind: str, text: str) -> None:
    """Runs statements one by one, or in one transaction where they begin with BEGIN."""
    values = {name: ordinary(kind, number, collecting) for name, number in (("old", -3000), ("first", 5), ("new", 9))}
    text = text.format(kind=kind, **values)
    for statement in [text] if text.startswith("BEGIN") else text.split(";"):
        database.run(statement)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ["timestamptz", "bigint"])
@pytest.mark.parametrize("way", WAYS)
def test_rows_come_with_the_table_that_holds_them(
    collecting: Collecting, database: Database, way: str, kind: str, source: str
) -> None:
    name, query = SOURCES[source]
    before, after = WAYS[way]
    run(database, collecting, kind, before)
    database.run("CREATE VIEW v AS SELECT * FROM t")
    collect(collecting, name, query=query, **MERGED)
    held: dict[int, Any] = {}

    def batch() -> bool:
        results = collecting.run().results
        held.update({row["id"]: row["note"] for row in (staged(collecting) if results else [])})
        return bool(results)

    batch()
    batch()
    run(database, collecting, kind, after)
    database.run("DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT * FROM t")  # which goes by the table, not by its name
    batch()
    there = dict(database.run("SELECT id, note::text FROM t"))
    assert {key: held[key] and str(held[key]) for key in there if key in held} == there
    assert source != "table" or not batch()  # of a table nothing comes again


def test_rows_come_that_a_concurrent_refresh_brings(collecting: Collecting, database: Database) -> None:
    run(database, collecting, "timestamptz", CONCURRENTLY[0])
    collect(collecting, "public.t", **MERGED)
    collecting.run()
    run(database, collecting, "timestamptz", CONCURRENTLY[1])
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [2]


def test_partitions_that_are_made_ahead_and_filled_bring_nothing_twice(collecting: Collecting, database: Database) -> None:
    run(database, collecting, "timestamptz", ATTACHED["a partition of a range"][0])
    collect(collecting, "public.t", **MERGED)
    collecting.run()
    database.run("CREATE TABLE p2 PARTITION OF t FOR VALUES FROM (10) TO (20)")
    assert not collecting.run().results
    run(database, collecting, "timestamptz", "INSERT INTO t VALUES (11, {new})")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [11]
    database.run("ALTER TABLE t DETACH PARTITION p2")
    database.run("VACUUM FULL p1")
    assert not collecting.run().results


def test_a_new_view_s_own_where_is_followed(collecting: Collecting, database: Database) -> None:
    run(database, collecting, "timestamptz", "CREATE TABLE t (id int, at {kind}); INSERT INTO t VALUES (1, {first}), (2, {first})")
    database.run("CREATE VIEW v AS SELECT * FROM t WHERE id = 1")
    collect(collecting, "public.v", **MERGED)
    collecting.run()
    collecting.run()
    database.run("CREATE OR REPLACE VIEW v AS SELECT * FROM t")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [1, 2]


def test_append_stops_where_a_partition_comes_with_rows_that_it_would_never_take(collecting: Collecting, database: Database) -> None:
    before, after = ATTACHED["a partition of a range"]
    run(database, collecting, "timestamptz", before)
    collect(collecting, "public.t", **APPENDED)
    collecting.run()
    collecting.run()
    run(database, collecting, "timestamptz", after.replace("(12, NULL), ", ""))
    said = refusal(collecting)
    assert said.startswith("DefinitionError") and "public.p2 has come with rows whose at is before" in said and "MERGE ON" in said
    collecting.cloud.clock.advance(hours=6)
    run(database, collecting, "timestamptz", "UPDATE t SET at = {new} WHERE id = 11")
    collecting.run(record_errors=True)
    assert [row["id"] for row in staged(collecting)] == [11, 13]
    database.run("ALTER TABLE t DETACH PARTITION p2")
    assert not collecting.run().results
    database.run("ALTER TABLE t ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)")  # whose rows were taken
    assert not collecting.run().results


def test_append_goes_on_in_another_table_by_the_same_name(collecting: Collecting, database: Database) -> None:
    before, after = REPLACED["another table by the same name"]
    run(database, collecting, "timestamptz", before)
    collect(collecting, "public.t", **APPENDED)
    collecting.run()
    collecting.run()
    run(database, collecting, "timestamptz", f"{after.replace('first', 'old')}; INSERT INTO t VALUES (4, {{new}})")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [4]


def test_append_refuses_a_materialized_view(collecting: Collecting, database: Database) -> None:
    run(database, collecting, "timestamptz", REPLACED["a materialized view that is refreshed"][0])
    collect(collecting, "public.t", **APPENDED)
    assert "when it is refreshed, whatever their cursor says" in refusal(collecting)


def test_a_label_that_an_enum_gets_brings_nothing_again(collecting: Collecting, database: Database) -> None:
    run(database, collecting, "timestamptz", WAYS["an enum's label that is renamed"][0])
    collect(collecting, "public.t", **MERGED)
    collecting.run()
    collecting.run()
    database.run("ALTER TYPE mood ADD VALUE 'c' BEFORE 'b'")
    assert not collecting.run().results


@pytest.mark.parametrize("more", ["note int DEFAULT 7", "note int NOT NULL DEFAULT 7", "note uuid DEFAULT gen_random_uuid()"])
def test_rows_of_before_have_the_default_of_a_column_that_comes(collecting: Collecting, database: Database, more: str) -> None:
    """PeerDB-io/peerdb#4635, apache/flink-cdc#2936: ADD COLUMN … DEFAULT writes no row, and older ones stayed null at the target."""
    run(database, collecting, "timestamptz", "CREATE TABLE t (id int, at {kind}); INSERT INTO t VALUES (1, {first}), (2, {first})")
    collect(collecting, "public.t", **MERGED)
    collecting.run()
    collecting.run()
    database.run(f"ALTER TABLE t ADD COLUMN {more}")
    collecting.run()
    there = dict(database.run("SELECT id, note::text FROM t"))
    assert {row["id"]: str(row["note"]) for row in staged(collecting)} == there
    assert not collecting.run().results


def test_a_column_that_comes_without_a_default_or_is_not_read_brings_nothing(collecting: Collecting, database: Database) -> None:
    run(database, collecting, "timestamptz", "CREATE TABLE t (id int, at {kind}, note text); INSERT INTO t VALUES (1, {first})")
    collect(collecting, "public.t", columns=(Column("id", "id"), Column("at", "at")), **MERGED)
    collecting.run()
    collecting.run()
    database.run("ALTER TABLE t ADD COLUMN one int; ALTER TABLE t ADD COLUMN two int DEFAULT 2; ALTER TABLE t RENAME note TO told")
    assert not collecting.run().results


def test_members_are_kept_by_their_distances() -> None:
    members = [Member(number, number + (number % 7 == 0), f"t{number}") for number in (-8, 5, 16384, 16390, 16391, 700_000)]
    kept = Members.of(members)
    assert Members.from_plain(kept.to_plain()) == kept and kept.to_plain()["ids"][:3] == [-8, 13, 16379]
    assert Members.from_plain(None) is None
    assert (kept.come(members), kept.rewritten(members)) == ([], [])
    assert kept.come([Member(3, 3, "t3"), Member(4, 4, "t4", empty=True)]) == [Member(3, 3, "t3")]
    assert kept.rewritten([Member(5, 6, "t5"), Member(16384, 16384, "x", empty=True)]) == [Member(5, 6, "t5")]


@pytest.mark.parametrize("flow", [{}, MERGED], ids=["replace", "merge"])
def test_a_view_over_a_function_that_lets_policies_hide_rows_is_refused_by_its_name(
    collecting: Collecting, database: Database, flow: dict[str, Any]
) -> None:
    database.run(
        "CREATE TABLE guarded (id int, at timestamptz); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON guarded USING (id = 1); INSERT INTO guarded VALUES (1), (2);"
        "CREATE FUNCTION part() RETURNS SETOF guarded LANGUAGE sql SET row_security = on AS 'SELECT * FROM guarded';"
        "CREATE VIEW inner_part AS SELECT * FROM part(); CREATE VIEW v AS SELECT id, at FROM inner_part"
    )
    for name, query in (("public.v", ""), ("", "SELECT id, at FROM public.v")):
        collect(collecting, name, query=query, **flow)
        said = refusal(collecting)
        assert said.startswith("DefinitionError") and "the function part()" in said and "RESET row_security" in said
        collecting.cloud.clock.advance(hours=6)
