"""Each type that a table may have: written, merged, read back, and published into each column that takes it.

A pair of types is exact, or refused by name, or stands in INEXACT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import psycopg
import pytest

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program import Mode
from slices.harness.postgres.column_types import JSON, NUMBERS, TEXT, csv_value, takes
from slices.organize.iceberg.tests.test_tables import lake, table
from systems.iceberg.column_types import iceberg_type
from systems.postgres.type_mapping import postgres_type
from tests.background import postgres_server
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake

__all__ = ["lake"]
DEEP = "'a, \"b\"'"
VALUES: dict[str, tuple[str, ...]] = {  # type ▸ values as DuckDB reads them, which are the ends of what it holds and what is odd
    "boolean": ("true", "false"),
    "int": ("-2147483648", "2147483647"),
    "long": ("-9223372036854775808", "9223372036854775807"),
    "float": ("'NaN'", "'-0.0'", "'inf'", "3.4028235e38", "1e-45"),
    "double": ("'NaN'", "'-0.0'", "'-inf'", "1.7976931348623157e308", "5e-324", "0.1"),
    "decimal(9,2)": ("-9999999.99", "0.01"),
    "decimal(38,10)": ("9999999999999999999999999999.9999999999", "-0.0000000001"),
    "date": ("'0001-01-01'", "'9999-12-31'"),
    "time": ("'00:00'", "'23:59:59.999999'"),
    "timestamp": ("'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'"),
    "timestamptz": ("'0001-01-01 00:00:00+00'", "'9999-12-31 23:59:59.999999+00'"),
    "string": ("''", "' '", "'NULL'", "'{},\"\\'", "chr(1114111)", "repeat('é', 300)"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    "binary": ("''", "'\\x00\\xFF'"),
    "list<list<int>>": ("[]", "[NULL, [], [1, NULL]]"),
    "list<struct<a: int, b: list<string>>>": ("[{'a': NULL, 'b': []}]", f"[{{'a': 1, 'b': [{DEEP}, NULL, '']}}]"),
    'struct<"b c": string, d: struct<e: timestamptz>>': (
        f"{{'b c': {DEEP}, 'd': {{'e': TIMESTAMPTZ '2026-01-01 00:00:00+00'}}}}",
        "{'b c': NULL, 'd': {'e': NULL}}",
    ),
    "map<string, struct<v: decimal(9,2)>>": ("MAP {}", f"MAP {{{DEEP}: {{'v': 1.5}}, '': {{'v': NULL}}}}"),
    "map<date, list<double>>": ("MAP {DATE '2026-01-01': [0.1, NULL]}", "MAP {DATE '0001-01-01': NULL}"),
}
VALUES |= {
    f"list<{kind}>": ("[]", "[NULL]", f"[{', '.join(f'CAST({one} AS {duckdb_type(kind)})' for one in values)}, NULL]")
    for kind, values in VALUES.items()
    if "<" not in kind
}
MOST = max(map(len, VALUES.values())) + 1  # and a row of nulls


def column(kind: str, of: Mapping[str, tuple[str, ...]] = VALUES) -> str:
    """The type's column of a query over rows that are numbered from 1."""
    cases = " ".join(f"WHEN {number} THEN CAST({one} AS {duckdb_type(kind)})" for number, one in enumerate(of[kind], 1))
    return f"CASE id {cases} END AS {identifier(kind)}"


def texts(source: str, wanted: str = "") -> dict[int, dict[str, tuple[str, str]]]:
    """id ▸ type ▸ (DuckDB's type, the text of the value) of what stands in a relation."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        shown = ", ".join(f"typeof({identifier(kind)}), {identifier(kind)}::VARCHAR" for kind in VALUES)
        rows = connection.execute(f"SELECT id, {shown} FROM {source} {wanted}").fetchall()
    return {row[0]: dict(zip(VALUES, zip(row[1::2], row[2::2], strict=True), strict=True)) for row in rows}


EXPECTED = f"(SELECT id, {', '.join(map(column, VALUES))} FROM range(1, {MOST + 1}) t(id))"


def test_each_type_is_written_merged_and_read_back_as_it_was(lake: Lake, tmp_path: Any) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT id, {', '.join(map(column, VALUES))} FROM {FLIGHTS}", Mode.MERGE, key=("id",))
    lake.view(f"SELECT * FROM {VIEW}", dataset="lake.ops.all:result", inputs=(VIEW,))
    lake.load([{"id": number} for number in range(1, MOST + 1)], ID[:1])
    lake.run(VIEW)
    first = {task.file.file_path for task in table(lake, "carrier_day").scan().plan_files()}
    lake.stage([{"id": 1}], ID[:1], again=lake.load([{"id": MOST}], ID[:1]))
    lake.change(VIEW, query=f"SELECT id, {', '.join(map(column, VALUES))} FROM {FLIGHTS} WHERE id = {MOST} LIMIT 1")
    lake.run(VIEW)
    files = [task.file.file_path for task in table(lake, "carrier_day").scan().plan_files()]
    assert not first & set(files), "the merge was to write the first file anew"
    for _ in range(2):
        lake.run("lake.ops.all:result")
    paths = []
    for number, file in enumerate(files):
        paths.append(tmp_path / f"{number}.parquet")
        paths[-1].write_bytes(lake.cloud.body(file.removeprefix(f"s3://{lake.cloud.bucket}/")))
    expected = texts(EXPECTED)
    assert texts(f"read_parquet([{', '.join(literal(str(path)) for path in paths)}])") == expected
    result = lake.cloud.manifest("lake.ops.all:result")["files"]
    for number, listed in enumerate(result):
        (tmp_path / f"result-{number}.parquet").write_bytes(lake.cloud.body(listed["key"]))
    assert texts(f"read_parquet({literal(str(tmp_path / 'result-*.parquet'))})") == expected


# -- published

INEXACT = {  # README of the harness: a column of the user's that holds fewer digits takes the nearest value
    ("long", "float8"), ("int", "float4"), ("long", "float4"), ("double", "float4"),
    ("decimal(9,2)", "float4"), ("decimal(38,10)", "float4"), ("decimal(38,10)", "float8"), ("decimal(38,10)", "money"),
}  # fmt: skip
BASES = sorted({*NUMBERS, "bool", "date", "time", "timetz", "interval", "timestamp", "timestamptz", "uuid", "bytea", "money", "oid",
                *(TEXT - {"citext", "name", "bpchar"}), *JSON})  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[psycopg.Connection[Any]]:
    with (
        postgres_server() as (folder, port),
        psycopg.connect(
            f"host={folder} port={port} dbname=postgres user=postgres options='-c TimeZone=UTC'", autocommit=True
        ) as connection,
    ):
        yield connection


def rendered(kind: str, base: str) -> list[str]:
    """The values as the harness writes them for a column of that type."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        source = f"(SELECT {column(kind)} FROM range(1, {len(VALUES[kind]) + 1}) t(id))"
        name = identifier(kind)
        described = connection.execute(f"SELECT typeof({name}) FROM {source}").fetchall()[0][0]
        return [row[0] for row in connection.execute(f"SELECT {csv_value(name, described, base)} FROM {source}").fetchall()]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", VALUES)
def test_each_type_is_published_as_it_is_or_refused(server: psycopg.Connection[Any], kind: str) -> None:
    own = postgres_type(kind)
    targets: Mapping[str, str] = {base: base for base in BASES} | {"own": own}
    for base, type_ in targets.items():
        name = ("_" if own.endswith("[]") else "") + "own" if base == "own" else base
        if base != "own" and (not takes(base, kind) or (kind == "string" and base not in TEXT)):
            continue  # a text goes into every column, and is read as what the column holds
        outcomes = {_outcome(server, text, type_, own) for text in rendered(kind, name)}
        allowed = {"exact", "refused"} | ({"inexact"} if (kind, base) in INEXACT else set())
        assert outcomes <= allowed, (kind, base, outcomes)
        if base == "own":
            assert outcomes == {"exact"}, (kind, own)


def _outcome(server: psycopg.Connection[Any], text: str, type_: str, own: str) -> str:
    """What becomes of a value: PostgreSQL reads it as the column's type, and of that, what it is as the type of a table of ours."""
    same = "IS NOT DISTINCT FROM" if own != "jsonb" or type_ not in TEXT | JSON else "::jsonb IS NOT DISTINCT FROM"
    try:
        with server.transaction():
            kept = server.execute(f"SELECT (({literal(text)})::{type_})::text").fetchone()
            held = server.execute(f"SELECT (({literal(text)})::{type_}::{own}){same} ({literal(text)})::{own}").fetchone()
    except psycopg.Error:
        return "refused"
    return "exact" if kept and held and held[0] else "inexact"


def test_duckdbs_types_are_kept_or_refused_one_by_one() -> None:
    with duckdb.connect() as connection:
        names = {name for (name,) in connection.execute("SELECT DISTINCT logical_type FROM duckdb_types()").fetchall()}
        plain = names - {"LIST", "ARRAY", "STRUCT", "MAP", "UNION", "ENUM", "NULL", "TYPE"}
        described = {n: str(connection.execute(f"DESCRIBE SELECT CAST(NULL AS {n}) c").fetchall()[0][1]) for n in plain}
    kept = {name: iceberg_type(kind) for name, kind in described.items()}
    assert {name for name, kind in kept.items() if kind is None} == {
        "BIGNUM", "BIT", "GEOMETRY", "INTERVAL", "TIME WITH TIME ZONE", "TIMESTAMP_NS", "TIME_NS", "VARIANT",
    }  # fmt: skip
