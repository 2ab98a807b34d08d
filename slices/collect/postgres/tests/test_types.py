"""Every type of PostgreSQL on its way to Parquet, with the values that are hard for it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared_metadata.errors import RowError
from shared_metadata.program import BadRows, Mask
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.under_test import PostgresUnderTest
from slices.collect.postgres.type_mapping import map_type
from systems.postgres.type_mapping import SourceType
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud

LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, 999999)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "boolean": ("boolean", {"'t'": True, "'f'": False}),
    "smallint": ("int", {"-32768": -32768, "32767": 32767}),
    "integer": ("int", {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    "bigint": ("long", {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    "oid": ("long", {"4294967295": 2**32 - 1}),
    "real": ("float", {"1.5": 1.5, "'-Infinity'": -math.inf}),
    "double precision": ("double", {"1e308": 1e308, "5e-324": 5e-324, "'Infinity'": math.inf}),
    "numeric(12,2)": ("decimal(12,2)", {"'-9999999999.99'": Decimal("-9999999999.99"), "0": Decimal("0.00")}),
    "numeric(38,10)": (
        "decimal(38,10)",
        {"'9999999999999999999999999999.9999999999'": Decimal("9999999999999999999999999999.9999999999")},
    ),
    "numeric(5,-2)": ("decimal(7,0)", {"1234567": Decimal(1234600)}),
    "numeric(3,5)": ("decimal(5,5)", {"0.00123": Decimal("0.00123")}),
    "numeric(50,2)": ("string", {"1.5": "1.50"}),
    "numeric": ("string", {"'123456789012345678901234567890.123456789'": "123456789012345678901234567890.123456789", "'NaN'": "NaN"}),
    "money": ("string", {"'1234.5'": "1234.50"}),
    "text": ("string", {"''": "", "E'tab\\tnew\\nline'": "tab\tnew\nline", "'東京 🛫'": "東京 🛫"}),
    "varchar(20)": ("string", {"'ü '": "ü "}),
    "char(5)": ("string", {"'ab'": "ab"}),
    '"char"': ("string", {"'x'": "x"}),
    "name": ("string", {"'pg_class'": "pg_class"}),
    "bytea": ("binary", {r"'\x00ff'": b"\x00\xff", "''": b""}),
    "uuid": ("uuid", {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'": UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")}),
    "date": (
        "date",
        {
            "'2026-02-28'": date(2026, 2, 28),
            "'infinity'": date(9999, 12, 31),
            "'-infinity'": date(1, 1, 1),
            "'0001-01-01'": date(1, 1, 1),
            "'9999-12-31'": date(9999, 12, 31),
        },
    ),
    "time": ("time", {"'23:59:59.999999'": time(23, 59, 59, 999999), "'00:00'": time(0, 0)}),
    "timetz": ("string", {"'12:34:56+05:30'": "12:34:56+05:30"}),
    "timestamp": (
        "timestamp",
        {
            "'2026-03-29 02:30:00.000001'": datetime(2026, 3, 29, 2, 30, 0, 1),
            "'infinity'": LAST_MOMENT,
            "'-infinity'": datetime(1, 1, 1),
            "'0001-01-01 00:00'": datetime(1, 1, 1),
            "'9999-12-31 23:59:59.999999'": LAST_MOMENT,
        },
    ),
    "timestamptz": (
        "timestamptz",
        {
            "'2026-03-29 02:30:00+02'": datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
            "'infinity'": LAST_MOMENT.replace(tzinfo=UTC),
            "'-infinity'": datetime(1, 1, 1, tzinfo=UTC),
            "'9999-12-31 23:59:59.999999+00'": LAST_MOMENT.replace(tzinfo=UTC),
        },
    ),
    "interval": ("string", {"'1 year 2 mons 3 days 04:05:06.7'": "1 year 2 mons 3 days 04:05:06.7"}),
    "json": ("string", {"""'{"b": 1,  "a": null}'""": '{"b": 1,  "a": null}'}),
    "jsonb": ("string", {"""'{"b": 1, "a": [1.50]}'""": '{"a": [1.50], "b": 1}'}),
    "xml": ("string", {}),  # the embedded server is built without libxml, so there are no values of it
    "inet": ("string", {"'10.0.0.1/8'": "10.0.0.1/8"}),
    "macaddr": ("string", {"'08:00:2b:01:02:03'": "08:00:2b:01:02:03"}),
    "bit(3)": ("string", {"B'101'": "101"}),
    "point": ("string", {"'(1,2.5)'": "(1,2.5)"}),
    "tsvector": ("string", {"'fat cat'": "'cat' 'fat'"}),
    "pg_lsn": ("string", {"'16/B374D848'": "16/B374D848"}),
    "int2vector": ("string", {"'1 2'": "1 2"}),
    "int4range": ("string", {"'[1,5)'": "[1,5)"}),
    "mood": ("string", {"'très content'": "très content"}),
    "email": ("string", {"'a@b.example'": "a@b.example"}),
    "price": ("decimal(8,3)", {"1.5": Decimal("1.500")}),
    "pair": ("string", {"ROW(1, 'x')": '{"first":1,"second":"x"}'}),
    "integer[]": ("list<int>", {"'{1,NULL,3}'": [1, None, 3], "'{}'": []}),
    "smallint[]": ("list<int>", {"'{1}'": [1]}),
    "bigint[]": ("list<long>", {"'{9223372036854775807}'": [2**63 - 1]}),
    "text[]": ("list<string>", {"""'{"a,b",NULL,""}'""": ["a,b", None, ""]}),
    "varchar(9)[]": ("list<string>", {"'{ü}'": ["ü"]}),
    "boolean[]": ("list<boolean>", {"'{t,f}'": [True, False]}),
    "double precision[]": ("list<double>", {"'{1.5,NaN}'": None}),
    "uuid[]": ("list<uuid>", {"'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'": [UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]}),
    "integer[][]": ("string", {"'{{1,2},{3,4}}'": "[[1,2],[3,4]]"}),
    "numeric(6,2)[]": ("string", {"'{1.50,NULL}'": "[1.50,null]"}),
    "timestamptz[]": ("string", {"'{2026-01-01 00:00:00+01}'": '["2025-12-31T23:00:00+00:00"]'}),
    "mood[]": ("string", {"'{sad}'": '["sad"]'}),
}
# values that the types in a warehouse cannot hold: the table's type ▸ literals
UNREADABLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "numeric(12,2)": ("decimal(12,2)", ("'NaN'",)),
    "date": ("date", ("'4713-01-01 BC'", "'5874897-12-31'", "'10000-01-01'", "'0001-12-31 BC'")),
    "time": ("time", ("'24:00'",)),
    "timestamp": ("timestamp", ("'4713-01-01 BC'", "'294276-12-31 23:59:59.999999'", "'10000-01-01'")),
    "timestamptz": ("timestamptz", ("'9999-12-31 23:00-02'", "'294276-12-31 23:59:59.999999+00'")),
    "price": ("decimal(8,3)", ("'NaN'",)),
    "text[]": ("list<string>", ("'{{a,b},{c,d}}'",)),
    "integer[]": ("list<int>", ("'{{1,2},{3,4}}'",)),
}
OWN_TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'très content'); CREATE DOMAIN email AS text CHECK (VALUE ~ '@');
CREATE DOMAIN price AS numeric(8,3); CREATE TYPE pair AS (first int, second text)"""


def test_values_of_every_type_arrive(collecting: Collecting, database: Database) -> None:
    database.run(OWN_TYPES)
    make_table(database)
    collecting.collect("public.every", incremental=False)
    collecting.run()
    rows = sorted(collecting.cloud.rows(collecting.dataset).to_pylist(), key=lambda row: row["id"])
    for number, (kind, (_, values)) in enumerate(CASES.items()):
        assert rows[0][f"c{number}"] is None, kind
        for place, (literal, wanted) in enumerate(values.items(), 1):
            if kind == "double precision[]":
                first, second = rows[place][f"c{number}"]
                assert (first, math.isnan(second)) == (1.5, True)
            else:
                assert rows[place][f"c{number}"] == wanted, f"{kind} {literal}"


def test_schema_names_every_type_as_iceberg_and_as_the_source(collecting: Collecting, database: Database) -> None:
    database.run(OWN_TYPES)
    make_table(database)
    collecting.collect("public.every", incremental=False)
    collecting.run()
    latest = collecting.cloud.reader.latest_schema(collecting.dataset)
    assert latest is not None
    columns = latest.schema.columns
    assert [column.type for column in columns[1:-1]] == [iceberg for iceberg, _ in CASES.values()]
    named = {column.source_type: column for column in columns}
    assert {"numeric(12,2)", "character varying(20)", "mood", "integer[]", "timestamp with time zone"} <= set(named)
    assert (columns[0].nullable, columns[1].nullable) == (False, True)


def test_staged_types_are_those_that_iceberg_reads(collecting: Collecting, database: Database) -> None:
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids

    database.run(OWN_TYPES)
    make_table(database)
    collecting.collect("public.every", incremental=False)
    collecting.run()
    found = _pyarrow_to_schema_without_ids(collecting.cloud.rows(collecting.dataset).schema)
    types = [str(field.field_type).replace(" ", "") for field in found.fields]
    assert types == [column["type"] for column in collecting.cloud.manifest(collecting.dataset)["schema"]["columns"]]


def test_array_of_more_dimensions_than_declared_names_the_remedy(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE grid (label text, cells int[]); INSERT INTO grid VALUES ('a', '{{1,2},{3,4}}')")
    collecting.collect("public.grid", incremental=False)
    error = collecting.run(record_errors=True).errors[collecting.dataset]
    assert type(error).__name__ == "RowError" and "to_json" in str(error) and "program.atoll:7:3" in str(error)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_value_that_its_type_cannot_hold_is_never_changed(collecting: Collecting, database: Database, kind: str) -> None:
    """Nobody tolerates it: the batch fails, and says of which column. Somebody does: its row is set aside, as the source has it."""
    iceberg, literals = UNREADABLE[kind]
    database.run(OWN_TYPES)
    values = ", ".join(f"({number}, {literal})" for number, literal in enumerate(literals, 1))
    database.run(f"CREATE TABLE odd (id int, v {kind}); INSERT INTO odd VALUES (0, NULL), {values}")
    collecting.collect("public.odd", incremental=False)
    error = collecting.run(record_errors=True).errors[collecting.dataset]
    assert isinstance(error, RowError) and f"public.odd: v ({iceberg}) cannot hold a value" in str(error)
    assert "BAD ROWS" in error.remedy and "program.atoll:7:3" in str(error)
    collecting.cloud.clock.advance(hours=1)
    collecting.collect("public.odd", incremental=False, bad_rows=BadRows(len(literals)))
    collecting.run()
    assert collecting.cloud.rows(collecting.dataset).select(["id", "v"]).to_pylist() == [{"id": 0, "v": None}]
    rejected = collecting.rejected()
    assert [(row["reason"], row["data"]["id"]) for row in rejected] == [(f"v is no {iceberg}", n) for n, _ in enumerate(literals, 1)]
    kept = database.run("SELECT to_json(v)::text FROM odd WHERE id = 1")
    assert rejected[0]["data"]["v"] == json.loads(kept[0][0])


def test_of_many_columns_each_that_cannot_be_read_is_named_and_masked_ones_are_not_shown(
    collecting: Collecting, database: Database
) -> None:
    collecting.cloud.put_secret("mask", {"key": "k" * 64})
    names = ", ".join(f"c{number} date" for number in range(120))
    database.run(f"CREATE TABLE wide (id int, email text, {names})")
    database.run(
        "INSERT INTO wide (id, email, c3, c118) VALUES (1, 'a@b.example', '10000-01-01', '0044-03-15 BC'), (2, 'c@d', now(), now())"
    )
    masks = {"email": Mask.HASH, "c7": Mask.DROP}
    collecting.collect("public.wide", incremental=False, masks=masks, mask_key="mask", bad_rows=BadRows(percent=50))
    collecting.run()
    (row,) = collecting.rejected()
    assert row["reason"] == "c3 is no date, c118 is no date"
    assert (row["data"]["c118"], row["data"]["c119"]) == ("0044-03-15 BC", None) and not {"email", "c7"} & set(row["data"])
    assert "a@b.example" not in str(row)


@pytest.fixture
def in_encoding(cloud: Cloud, database: Database) -> Iterator[Callable[[str], tuple[Database, Collecting]]]:
    """Makes a database of an encoding beside the test's own."""
    other = Database(database.host, database.port, f"{database.name}_other")

    def make(encoding: str) -> tuple[Database, Collecting]:
        other.create(encoding)
        return other, Collecting(cloud, PostgresUnderTest(other))

    yield make
    other.drop()


def test_texts_of_a_database_in_another_encoding_arrive(in_encoding: Callable[[str], tuple[Database, Collecting]]) -> None:
    database, collecting = in_encoding("LATIN1")
    database.run("CREATE TABLE notes (note text); INSERT INTO notes VALUES ('Zürich')")
    collecting.collect("public.notes", incremental=False)
    collecting.run()
    assert [row["note"] for row in collecting.cloud.rows(collecting.dataset).to_pylist()] == ["Zürich"]


def test_bytes_that_are_no_text_are_refused_where_the_database_checks_none(
    in_encoding: Callable[[str], tuple[Database, Collecting]],
) -> None:
    database, collecting = in_encoding("SQL_ASCII")
    database.run("CREATE TABLE notes (id int, note text, tags text[])")
    database.run(r"INSERT INTO notes VALUES (1, E'Z\303\274', '{b}'), (2, E'\374', NULL), (3, 'c', ARRAY[E'\355\240\200', 'd'])")
    collecting.collect("public.notes", incremental=False)
    error = collecting.run(record_errors=True).errors[collecting.dataset]
    assert "public.notes: note (string), tags (list<string>) cannot hold a value" in str(error)
    collecting.cloud.clock.advance(hours=1)
    collecting.collect("public.notes", incremental=False, bad_rows=BadRows(2))
    collecting.run()
    assert [row["note"] for row in collecting.cloud.rows(collecting.dataset).to_pylist()] == ["Zü"]
    assert [(row["reason"], row["data"]) for row in collecting.rejected()] == [
        ("note is no string", {"id": 2, "note": r"\374", "tags": None}),
        ("tags is no list<string>", {"id": 3, "note": "c", "tags": r"{\355\240\200,d}"}),
    ]


@pytest.mark.parametrize(
    ("modifier", "iceberg"), [(-1, "string"), ((38 << 16 | 38) + 4, "decimal(38,38)"), ((39 << 16) + 4, "string")]
)
def test_numeric_is_a_decimal_where_one_can_hold_it(modifier: int, iceberg: str) -> None:
    assert map_type(SourceType("numeric", modifier=modifier)).iceberg == iceberg


def test_unknown_type_becomes_text() -> None:
    mapped = map_type(SourceType(""))
    assert (mapped.iceberg, mapped.expression("c0")) == ("string", "c0::text")


def make_table(database: Database) -> None:
    """Row 0 is all null; row n holds the n-th value of every type that has one."""
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(CASES))
    database.run(f"CREATE TABLE every (id int PRIMARY KEY, {columns})")
    database.run("INSERT INTO every (id) SELECT generate_series(0, 5)")
    updates = [
        f"UPDATE every SET c{number} = {literal} WHERE id = {place}"
        for number, (_, values) in enumerate(CASES.values())
        for place, literal in enumerate(values, 1)
    ]
    database.run("; ".join(updates))


DOMAINS = """CREATE DOMAIN narrow AS price CHECK (VALUE > 0); CREATE DOMAIN narrower AS narrow; CREATE DOMAIN labels AS text[];
CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN feeling AS mood; CREATE TYPE contact AS (mail email, costs narrower, seen moment);
CREATE DOMAIN known AS contact; CREATE DOMAIN many AS narrower[]"""
CONTACT = '{"mail":"a@b","costs":1.500,"seen":"2026-01-02T03:04:05+00:00"}'
ROW = "ROW('a@b', 1.5, '2026-01-02 03:04:05Z')"
OF_DOMAINS: dict[str, tuple[str, str, Any]] = {
    "narrow": ("decimal(8,3)", "1.5", Decimal("1.500")),
    "narrower": ("decimal(8,3)", "1.5", Decimal("1.500")),
    "labels": ("list<string>", "'{a,b}'", ["a", "b"]),
    "moment": ("timestamptz", "'infinity'", LAST_MOMENT.replace(tzinfo=UTC)),
    "feeling": ("string", "'sad'", "sad"),
    "email[]": ("string", "'{a@b,NULL}'", '["a@b",null]'),
    "narrower[]": ("string", "'{1.5}'", "[1.500]"),
    "many": ("string", "'{1.5}'", "[1.500]"),
    "contact": ("string", ROW, CONTACT),
    "known": ("string", ROW, CONTACT),
    "contact[]": ("string", f"ARRAY[{ROW}::contact]", f"[{CONTACT}]"),
    "known[]": ("string", f"ARRAY[{ROW}::known]", f"[{CONTACT}]"),
}


@pytest.mark.parametrize("as_query", [False, True])
def test_domains_are_what_lies_below_them_however_deep(collecting: Collecting, database: Database, as_query: bool) -> None:
    database.run(OWN_TYPES)
    database.run(DOMAINS)
    names = [f"c{number}" for number in range(len(OF_DOMAINS))]
    database.run(f"CREATE TABLE d ({', '.join(f'{name} {kind}' for name, kind in zip(names, OF_DOMAINS, strict=True))})")
    database.run(f"INSERT INTO d VALUES ({', '.join(literal for _, literal, _ in OF_DOMAINS.values())})")
    how: dict[str, Any] = {"query": f"SELECT {', '.join(names)} FROM public.d LIMIT 5"} if as_query else {}
    collecting.collect("" if as_query else "public.d", incremental=False, **how)
    collecting.run()
    (row,) = collecting.cloud.rows(collecting.dataset).to_pylist()
    assert [row[name] for name in names] == [value for _, _, value in OF_DOMAINS.values()]
    latest = collecting.cloud.reader.latest_schema(collecting.dataset)
    assert latest and [column.type for column in latest.schema.columns[:-1]] == [iceberg for iceberg, _, _ in OF_DOMAINS.values()]
