"""Every type of MariaDB on its way to Parquet, with the values that are hard for it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.errors import RowError
from shared_metadata.program import BadRows, Mask
from slices.collect.mysql.tests.under_test import MysqlUnderTest
from slices.collect.mysql.values import map_type
from systems.mysql.type_mapping import SourceType, iceberg_type
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud
from tests.mariadb import Database

NINES = "9" * 37
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "boolean": ("boolean", {"true": True, "false": False}),
    "tinyint": ("int", {"-128": -128, "127": 127}),
    "tinyint(1) unsigned": ("int", {"255": 255, "0": 0}),
    "tinyint unsigned": ("int", {"255": 255}),
    "smallint": ("int", {"-32768": -32768, "32767": 32767}),
    "smallint unsigned zerofill": ("int", {"65535": 65535, "7": 7}),
    "mediumint": ("int", {"-8388608": -8388608, "8388607": 8388607}),
    "mediumint unsigned": ("int", {"16777215": 16777215}),
    "int": ("int", {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    "int unsigned": ("long", {"4294967295": 2**32 - 1}),
    "bigint": ("long", {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    "bigint unsigned": ("decimal(20,0)", {"18446744073709551615": Decimal(2**64 - 1), "0": Decimal(0)}),
    "bit(1)": ("boolean", {"b'1'": True, "b'0'": False}),
    "bit(9)": ("long", {"b'101010101'": 341}),
    "bit(63)": ("long", {"9223372036854775807": 2**63 - 1}),
    "bit(64)": ("decimal(20,0)", {"18446744073709551615": Decimal(2**64 - 1)}),
    "float": ("float", {"1.5": 1.5, "-3.4e38": pytest.approx(-3.4e38), "0.1": pytest.approx(0.1)}),
    "double": ("double", {"1.7976931348623157e308": 1.7976931348623157e308, "2.2250738585072014e-308": 2.2250738585072014e-308}),
    "double unsigned": ("double", {"0.1": 0.1}),
    "decimal(10,0)": ("decimal(10,0)", {"-9999999999": Decimal(-9999999999), "9999999999": Decimal(9999999999)}),
    "decimal(12,2)": ("decimal(12,2)", {"-9999999999.99": Decimal("-9999999999.99"), "0": Decimal("0.00")}),
    "decimal(12,2) unsigned zerofill": ("decimal(12,2)", {"1.5": Decimal("1.50")}),
    "decimal(38,1)": ("decimal(38,1)", {f"-{NINES}.9": Decimal(f"-{NINES}.9")}),
    "decimal(38,38)": ("decimal(38,38)", {f"0.{NINES}9": Decimal(f"0.{NINES}9")}),
    "decimal(65,30)": ("string", {f"-{'9' * 35}.{'9' * 30}": f"-{'9' * 35}.{'9' * 30}", "1.5": "1.5" + "0" * 29}),
    "year": ("int", {"2026": 2026, "1901": 1901, "2155": 2155, "0": 0}),
    "date": ("date", {"'0001-01-01'": date(1, 1, 1), "'9999-12-31'": date(9999, 12, 31), "'2024-02-29'": date(2024, 2, 29)}),
    "datetime": ("timestamp", {"'2026-03-29 02:30:00'": datetime(2026, 3, 29, 2, 30), "'0001-01-01'": datetime(1, 1, 1)}),
    "datetime(6)": ("timestamp", {"'9999-12-31 23:59:59.999999'": datetime(9999, 12, 31, 23, 59, 59, 999999)}),
    "timestamp(6) null": (
        "timestamptz",
        {
            "'1970-01-01 00:00:01'": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
            "'2038-01-19 03:14:07.999999'": datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=UTC),
            "'2026-03-29 02:30:00.000001'": datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=UTC),
        },
    ),
    "time": ("string", {"'-838:59:59'": "-838:59:59", "'838:59:59'": "838:59:59", "'12:34:56'": "12:34:56"}),
    "time(6)": ("string", {"'24:00:00.000001'": "24:00:00.000001", "0": "00:00:00.000000"}),
    "char(5)": ("string", {"'ab '": "ab", "''": ""}),
    "varchar(20)": ("string", {"'ü '": "ü ", "'東京 🛫'": "東京 🛫"}),
    "varchar(20) character set latin1": ("string", {"'Zürich €'": "Zürich €"}),
    "varchar(20) character set utf8mb4 collate utf8mb4_bin": ("string", {"'Zürich ß'": "Zürich ß"}),
    "varchar(20) character set ucs2": ("string", {"'東京'": "東京"}),
    "text": ("string", {r"concat('tab', char(9), 'new', char(10), 'line', char(92))": "tab\tnew\nline\\"}),
    "tinytext": ("string", {"'x'": "x"}),
    "longtext": ("string", {"repeat('x', 100000)": "x" * 100_000}),
    "enum('sad', 'très content')": ("string", {"'très content'": "très content"}),
    "set('a', 'b', 'c')": ("string", {"'a,c'": "a,c", "''": ""}),
    "binary(4)": ("binary", {"x'00ff'": b"\x00\xff\x00\x00"}),
    "varbinary(20)": ("binary", {"x'00ff'": b"\x00\xff", "''": b""}),
    "longblob": ("binary", {"repeat(x'ff', 100000)": b"\xff" * 100_000}),
    "json": ("string", {"""'{"b": 1,  "a": null}'""": '{"b": 1,  "a": null}'}),
    "point": ("string", {"point(1, 2.5)": "POINT(1 2.5)"}),
    "geometry": ("string", {"st_geomfromtext('LINESTRING(0 0,1 1)')": "LINESTRING(0 0,1 1)"}),
    "uuid": ("uuid", {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'": UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")}),
    "inet6": ("string", {"'2001:db8::ff00:42:8329'": "2001:db8::ff00:42:8329"}),
}
# Values that the types in a warehouse cannot hold: the table's type ▸ literals, and how a row that is set aside shows them.
UNREADABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "boolean": ("boolean", {"2": 2, "-1": -1}),
    "date": ("date", {"'0000-00-00'": "0000-00-00", "'2026-02-00'": "2026-02-00", "'2026-00-01'": "2026-00-01"}),
    "datetime(6)": ("timestamp", {"'0000-00-00'": "0000-00-00 00:00:00.000000", "'0000-05-01'": "0000-05-01 00:00:00.000000"}),
    "timestamp null": ("timestamptz", {"'0000-00-00'": "0000-00-00 00:00:00"}),
}


def lenient(database: Database, *statements: str) -> None:
    """As an application with old settings writes, in UTC."""
    with database.connect() as session, session.cursor() as cursor:
        for statement in ("SET sql_mode = '', time_zone = '+00:00'", *statements):
            cursor.execute(statement)


def make_table(database: Database) -> None:
    """Row 0 is all null; row n holds the n-th value of every type that has one."""
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(CASES))
    lenient(
        database,
        f"CREATE TABLE every (id int PRIMARY KEY, {columns})",
        f"INSERT INTO every (id) VALUES {', '.join(f'({number})' for number in range(5))}",
        *(
            f"UPDATE every SET c{number} = {literal} WHERE id = {place}"
            for number, (_, values) in enumerate(CASES.values())
            for place, literal in enumerate(values, 1)
        ),
    )


def test_values_of_every_type_arrive_in_the_types_that_the_schema_names(collecting: Collecting, database: Database) -> None:
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids

    make_table(database)
    collecting.collect(f"{database.name}.every", incremental=False)
    collecting.run()
    table = collecting.cloud.rows(collecting.dataset)
    rows = sorted(table.to_pylist(), key=lambda row: row["id"])
    for number, (kind, (_, values)) in enumerate(CASES.items()):
        assert rows[0][f"c{number}"] is None, kind
        for place, (literal, wanted) in enumerate(values.items(), 1):
            assert rows[place][f"c{number}"] == wanted, f"{kind} {literal}"
    latest = collecting.cloud.reader.latest_schema(collecting.dataset)
    assert latest is not None
    assert {kind: column.type for kind, column in zip(CASES, latest.schema.columns[1:], strict=False)} == {
        kind: iceberg for kind, (iceberg, _) in CASES.items()
    }
    staged = [str(field.field_type).replace(" ", "") for field in _pyarrow_to_schema_without_ids(table.schema).fields]
    assert staged == [column.type for column in latest.schema.columns]


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_value_that_its_type_cannot_hold_is_never_changed(collecting: Collecting, database: Database, kind: str) -> None:
    """Nobody tolerates it: the batch fails, and says of which column. Somebody does: its row is set aside, as the source has it."""
    iceberg, literals = UNREADABLE[kind]
    values = ", ".join(f"({number}, {literal})" for number, literal in enumerate(literals, 1))
    lenient(database, f"CREATE TABLE odd (id int, v {kind})", f"INSERT INTO odd VALUES (0, NULL), {values}")
    collecting.collect(f"{database.name}.odd", incremental=False)
    error = collecting.run(record_errors=True).errors[collecting.dataset]
    assert isinstance(error, RowError) and f"{database.name}.odd: v ({iceberg}) cannot hold a value" in str(error)
    assert "BAD ROWS" in error.remedy and "program.atoll:7:3" in str(error)
    collecting.cloud.clock.advance(hours=1)
    collecting.collect(f"{database.name}.odd", incremental=False, bad_rows=BadRows(len(literals)))
    collecting.run()
    assert collecting.cloud.rows(collecting.dataset).select(["id", "v"]).to_pylist() == [{"id": 0, "v": None}]
    found = [(row["reason"], row["data"]["id"], row["data"]["v"]) for row in collecting.rejected()]
    assert found == [(f"v is no {iceberg}", n, shown) for n, shown in enumerate(literals.values(), 1)]


def test_rows_that_are_set_aside_show_every_type_and_hide_what_is_masked(collecting: Collecting, database: Database) -> None:
    make_table(database)
    lenient(database, "ALTER TABLE every ADD bad date, ADD email text", "UPDATE every SET bad = '0000-00-00', email = 'a@b.example'")
    collecting.cloud.put_secret("mask", {"key": "k" * 64})
    masks = {"email": Mask.HASH, "c0": Mask.DROP}
    collecting.collect(f"{database.name}.every", incremental=False, masks=masks, mask_key="mask", bad_rows=BadRows(percent=100))
    collecting.run()
    rejected = collecting.rejected()
    assert {row["reason"] for row in rejected} == {"bad is no date"} and len(rejected) == 5
    assert not {"email", "c0"} & set(rejected[0]["data"]) and "a@b.example" not in str(rejected)
    (first,) = [row["data"] for row in rejected if row["data"]["id"] == 1]
    kinds = dict(zip(CASES, (f"c{number}" for number in range(len(CASES))), strict=True))
    assert first[kinds["point"]] == "POINT(1 2.5)" and first[kinds["binary(4)"]] == "00FF0000"
    assert first[kinds["varchar(20)"]] == "ü " and str(first[kinds["bigint unsigned"]]) == str(2**64 - 1)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(-(10**28) + 1, 10**28 - 1, places=10),
        st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)),
        st.datetimes(datetime(1970, 1, 2), datetime(2038, 1, 18)),
        st.dates(date(1, 1, 1), date(9999, 12, 31)),
        TEXTS,
        st.binary(max_size=40),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=30, suppress_health_check=[*HealthCheck], deadline=None)
@given(rows=ROWS)
def test_whatever_a_type_holds_arrives_as_it_is(database: Database, aws: None, rows: list[tuple[Any, ...]]) -> None:
    collecting = Collecting(Cloud(), MysqlUnderTest(database))
    kinds = (
        "bigint",
        "bigint unsigned",
        "double",
        "decimal(38,10)",
        "datetime(6)",
        "timestamp(6) null",
        "date",
        "longtext",
        "longblob",
    )
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))
    lenient(database, "DROP TABLE IF EXISTS some", f"CREATE TABLE some (id int PRIMARY KEY, {columns}) CHARACTER SET utf8mb4")
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        for number, row in enumerate(rows):
            cursor.execute(f"INSERT INTO some VALUES ({number}{', %s' * len(row)})", row)
    collecting.collect(f"{database.name}.some", incremental=False)
    collecting.run()
    found = sorted(collecting.cloud.rows(collecting.dataset).to_pylist(), key=lambda row: row["id"])
    for row, wanted in zip(found, rows, strict=True):
        values = [row[f"c{number}"] for number in range(len(kinds))]
        values[5] = values[5].replace(tzinfo=None)
        assert values == [*wanted[:1], Decimal(wanted[1]), *wanted[2:]]


DECIMALS = [
    (precision, scale, sign)
    for precision in (1, 2, 9, 10, 18, 19, 37, 38)
    for scale in sorted({0, 1, precision // 2, precision})
    for sign in ("", " unsigned")
]


def test_a_decimal_of_any_shape_has_all_its_digits(collecting: Collecting, database: Database) -> None:
    """DuckDB is told a length, of which it takes away the places of a sign and of a point."""
    columns = ", ".join(f"c{number} decimal({p}, {s}){sign}" for number, (p, s, sign) in enumerate(DECIMALS))
    database.run(f"CREATE TABLE wide (id int, {columns})")
    wanted = {f"c{number}": Decimal((0 if sign else 1, (9,) * p, -s)) for number, (p, s, sign) in enumerate(DECIMALS)}
    database.run(f"INSERT INTO wide VALUES (1, {', '.join(f'{value:f}' for value in wanted.values())})")
    collecting.collect(f"{database.name}.wide", incremental=False)
    collecting.run()
    (row,) = collecting.cloud.rows(collecting.dataset).to_pylist()
    assert {name: row[name] for name in wanted} == wanted


def test_a_text_is_the_same_whatever_its_character_set_and_collation(collecting: Collecting, database: Database) -> None:
    """Those that compare bytes come as bytes."""
    of = "('utf8mb4', 'utf8mb3', 'latin1', 'ucs2', 'utf16', 'utf32') AND (IS_DEFAULT = 'Yes' OR COLLATION_NAME LIKE '%bin')"
    named = f"SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE CHARACTER_SET_NAME IN {of}"
    collations = [name for (name,) in database.run(named)]
    kinds = [f"{kind} COLLATE {name}" for name in collations for kind in ("varchar(9)", "text", "enum('Zürich ß')")]
    database.run(f"CREATE TABLE texts (id int, {', '.join(f'c{number} {kind}' for number, kind in enumerate(kinds))})")
    database.run(f"INSERT INTO texts VALUES (1{', %s' * len(kinds)})", ["Zürich ß"] * len(kinds))
    collecting.collect(f"{database.name}.texts", incremental=False)
    collecting.run()
    (row,) = collecting.cloud.rows(collecting.dataset).to_pylist()
    assert len(collations) > 6 and {kind: row[f"c{number}"] for number, kind in enumerate(kinds)} == dict.fromkeys(kinds, "Zürich ß")


@pytest.fixture
def aws(cloud: Cloud) -> None:
    """What further clouds need."""


def test_an_unknown_type_becomes_text() -> None:
    mapped = map_type(SourceType("of the future", "of the future(3)"))
    assert (mapped.iceberg, mapped.expression("c0"), mapped.misfit("c0")) == ("string", "CAST(c0 AS CHAR)", "")


@pytest.mark.parametrize(
    ("written", "iceberg"),
    [("tinyint(1)", "boolean"), ("tinyint(4)", "int"), ("tinyint(1) unsigned", "int"), ("tinyint", "int")],
)
def test_a_boolean_is_a_tinyint_of_one_digit(written: str, iceberg: str) -> None:
    assert iceberg_type(SourceType("tinyint", written)) == iceberg
