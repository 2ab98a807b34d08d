"""A program with a warehouse in Redshift, compiled as a user's is: its types, its dialect, and what is refused of it at `check`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from language import ProgramErrors, compile_with_positions
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.organize.redshift.config import Config
from slices.organize.redshift.handlers import open_driver
from slices.organize.redshift.slice import SLICE
from slices.organize.redshift.tests.test_conformance import rows_of, serve
from slices.registry import installed
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake, Row, Typed, flights
from tests.memory.redshift import MemoryRedshift

HEAD = """CREATE WAREHOUSE lake USING redshift WITH (managed = TRUE);
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE AS SELECT * FROM ops.public.flights;
"""
SOURCE = {
    **{"int": "integer", "long": "bigint", "string": "text", "double": "double precision", "timestamptz": "timestamp with time zone"},
    **{"decimal(12,2)": "numeric(12,2)", "date": "date", "boolean": "boolean", "timestamp": "timestamp without time zone"},
    **{"time": "time without time zone", "uuid": "uuid", "list<string>": "text[]", "binary": "bytea", "float": "real"},
}
TYPES: list[tuple[str, str, Any, list[Any]]] = [
    ("i", "int", pa.int32(), [-(2**31), 2**31 - 1, None]),
    ("l", "long", pa.int64(), [-(2**63), 2**63 - 1, None]),
    ("f", "float", pa.float32(), [0.5, -1.5, None]),
    ("d", "double", pa.float64(), [0.1, -1.7976931348623157e308, None]),
    ("n", "decimal(12,2)", pa.decimal128(12, 2), [Decimal("9999999999.99"), Decimal("-0.01"), None]),
    ("s", "string", pa.string(), ["", "größer 'x\" \\n \u2003", None]),
    ("b", "boolean", pa.bool_(), [True, False, None]),
    ("y", "date", pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None]),
    ("t", "timestamp", pa.timestamp("us"), [datetime(1970, 1, 1, 0, 0, 0, 1), datetime(9999, 1, 1, 1, 2, 3, 456789), None]),
    ("z", "timestamptz", pa.timestamp("us", "UTC"), [datetime(2026, 1, 1, 23, 59, 59, 999999, UTC), None, None]),
    ("r", "binary", pa.binary(), [b"", bytes(range(256)), None]),
]


class Compiled(Lake):
    """The warehouse of a program that the compiler has read."""

    service: MemoryRedshift

    def program(self, views: str, columns: list[Typed] | None = None) -> None:
        known = tuple(SchemaColumn(name, kind, source=name, source_type=SOURCE[kind]) for name, kind, _ in columns or ID)
        schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.flights": Schema(known), "public.out": None})}
        compiled = compile_with_positions({"program.sql": HEAD + views}, installed(), schemas)
        self.cloud.writer.put_program(compiled.program, compiled.lineage)
        self.cloud.writer.activate(compiled.program, former_version=self.cloud.reader.active_version())
        self.flows = dict(compiled.program.flows)

    def rows(self, dataset: str) -> list[Row]:
        return rows_of(self.service, dataset)


@pytest.fixture
def dwh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiled]:
    for cloud in open_cloud(monkeypatch):
        made = Compiled(cloud, SLICE, open_driver)
        made.service = serve(monkeypatch)
        yield made


def test_a_view_s_columns_have_the_types_that_it_was_compiled_with(dwh: Compiled) -> None:
    """Of integers, avg is one; a text with a backslash is what it says, and a part of a date is no column."""
    dwh.program(
        f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT carrier, count(*) AS id, avg(id) AS mean, "
        rf"sum(delay) AS delay, 'a\n' AS said, max(dateadd(day, 1, batch_start())) AS until FROM {FLIGHTS} GROUP BY carrier;"
    )
    interval = dwh.load(flights((1, "AA", 1.5), (4, "AA", 2.5)))
    dwh.run(VIEW)
    (row,) = dwh.rows(VIEW)
    assert (row["carrier"], row["id"], row["mean"], row["delay"], row["said"]) == ("AA", 2, 2, 4.0, "a\\n")
    assert (row["until"] - interval.start).days == 1
    version = dwh.cloud.reader.latest_schema(VIEW)
    assert version is not None
    assert {c.name: c.type for c in version.schema.columns} == {
        **{"carrier": "string", "id": "long", "mean": "long", "delay": "double", "said": "string", "until": "timestamptz"}
    }


def test_every_type_is_kept_and_published_as_it_is(dwh: Compiled) -> None:
    columns = [(name, kind, arrow) for name, kind, arrow, _ in TYPES]
    chosen = ", ".join(name for name, *_ in TYPES)
    dwh.program(
        f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT {chosen} FROM {FLIGHTS};"
        f"INSERT INTO ops.public.out EVERY '1 hour' REPLACE AS SELECT {chosen} FROM {VIEW};",
        columns,
    )
    rows = [dict(zip((name for name, *_ in TYPES), values, strict=True)) for values in zip(*(v for *_, v in TYPES), strict=True)]
    dwh.load(rows, columns)
    for flow in (VIEW, "ops.public.out:result"):
        dwh.run(flow)
    kept = [{name: value for name, value in row.items() if name != "_batch"} for row in dwh.rows(FLIGHTS)]
    published = dwh.cloud.rows("ops.public.out:result").to_pylist()
    without_zones = [{**row, "z": row["z"] and row["z"].replace(tzinfo=None)} for row in rows]  # as UNLOAD writes moments in UTC
    assert sorted(kept, key=str) == sorted(dwh.rows(VIEW), key=str) == sorted(rows, key=str)
    assert sorted(published, key=str) == sorted(without_zones, key=str)


@pytest.mark.parametrize("kind", ["time", "uuid", "list<string>"])
def test_a_type_that_redshift_keeps_in_no_table_is_refused_when_the_program_is_checked(dwh: Compiled, kind: str) -> None:
    with pytest.raises(ProgramErrors, match=f"`odd` .*{kind.partition('<')[0]}.*redshift"):
        dwh.program("", [ID[0], ("odd", kind, pa.string())])


def test_sql_that_redshift_does_not_read_is_refused_when_the_program_is_checked(dwh: Compiled) -> None:
    with pytest.raises(ProgramErrors, match="Redshift has no FILTER"):
        dwh.program(
            f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT count(*) FILTER (WHERE id > 1) AS n FROM {FLIGHTS};"
        )


def test_rejected_rows_are_json_whatever_their_values(dwh: Compiled) -> None:
    columns = [(name, kind, arrow) for name, kind, arrow, _ in TYPES]
    chosen = ", ".join(name for name, *_ in TYPES)
    rule = "EXPECT none: (i IS NULL AND i IS NOT NULL) OR QUARANTINE"
    dwh.program(f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE {rule} AS SELECT {chosen} FROM {FLIGHTS};", columns)
    rows = [dict(zip((name for name, *_ in TYPES), values, strict=True)) for values in zip(*(v for *_, v in TYPES), strict=True)]
    dwh.load(rows, columns)
    dwh.run(VIEW)
    found = {json.loads(row["data"])["i"]: json.loads(row["data"]) for row in dwh.rows(f"{VIEW}__rejected")}
    assert (found[-(2**31)]["l"], found[-(2**31)]["s"], found[-(2**31)]["n"]) == (str(-(2**63)), "", "9999999999.99")
    assert found[2**31 - 1]["r"] == "\\x" + bytes(range(256)).hex() and set(found[None].values()) == {None}


OPTIONS: dict[str, dict[str, Any]] = {
    "is managed, or one workgroup, or one cluster": {},
    "workgroup and workgroup_id go together": {"workgroup": "w", "secret": "s"},
    "db_user is of a cluster": {"managed": True, "db_user": "u"},
    "is signed in to by one user": {"cluster_identifier": "c"},
    "no option claster": {"claster": "c"},
    "base_rpus takes": {"managed": True, "base_rpus": 1},
}


@pytest.mark.parametrize("told", OPTIONS)
def test_wrong_options_are_told_with_what_is_accepted(told: str) -> None:
    with pytest.raises(DefinitionError, match=told) as refused:
        Config.read(OPTIONS[told], place="program.sql:1:1")
    assert "Remedy" in str(refused.value)


def test_a_workgroup_a_cluster_and_what_is_managed_are_taken() -> None:
    workgroup = {"workgroup": "w", "workgroup_id": "01234567-89ab-cdef-0123-456789abcdef", "secret": "s"}
    for options in (workgroup, {"cluster_identifier": "c", "db_user": "u"}, {"managed": True}):
        assert Config.read(options, place="").database == "dev"
