"""A program with a warehouse in Redshift, compiled as a user's is: its types, its dialect, and what is refused of it at `check`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest

from language import ProgramErrors, compile_with_positions
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Mode
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.organize.redshift import service
from slices.organize.redshift.config import Config
from slices.organize.redshift.handlers import open_driver
from slices.organize.redshift.service import RedshiftService
from slices.organize.redshift.slice import SLICE
from slices.organize.redshift.tests.test_conformance import rows_of, serve
from slices.registry import installed
from systems.sql_warehouse import commit
from tests.conformance import warehouse_types
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake, Row, Typed, flights
from tests.conformance.warehouse_types import COLUMNS, NAMES, SOURCE, WIDER, alike, declared, promoted, refused
from tests.memory.redshift import MemoryRedshift

HEAD = """CREATE WAREHOUSE lake USING redshift WITH (managed = TRUE);
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE AS SELECT * FROM ops.public.flights;
"""


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


def test_a_user_s_own_settings_decide_over_no_value(dwh: Compiled) -> None:
    """ALTER USER … SET timezone, datestyle: a moment's day is that of UTC, and a day is read with its month first."""
    dwh.program(
        f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE "
        "EXPECT noon: (CAST(late AS date) < CAST('2026-11-24' AS date)) OR FAIL "
        "AS SELECT max(id) AS id, max(dateadd(hour, 11, batch_start())) AS late, "
        "max(CAST(dateadd(hour, 11, batch_start()) AS date)) AS day, max(CAST('02/11/2026' AS date)) AS read "
        f"FROM {FLIGHTS};"
    )
    interval = dwh.load(flights((1, "AA", 1.5)))
    dwh.run(VIEW)
    (row,) = dwh.rows(VIEW)
    assert (row["day"], row["read"]) == ((interval.start + timedelta(hours=11)).date(), date(2026, 2, 11))


def test_every_type_is_kept_and_published_as_it_is(dwh: Compiled) -> None:
    chosen = ", ".join(NAMES)
    dwh.program(
        f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT {chosen} FROM {FLIGHTS};"
        f"INSERT INTO ops.public.out EVERY '1 hour' REPLACE AS SELECT {chosen} FROM {VIEW};",
        COLUMNS,
    )
    dwh.load(warehouse_types.rows(), COLUMNS)
    dwh.load(warehouse_types.rows(), COLUMNS)  # finds the table's types in its catalog
    for flow in (VIEW, "ops.public.out:result"):
        dwh.run(flow)
    kept, made, published = dwh.rows(FLIGHTS), dwh.rows(VIEW), dwh.cloud.rows("ops.public.out:result").to_pylist()
    assert alike(kept) == alike(made) == alike(published) == alike(warehouse_types.rows())


@pytest.mark.parametrize(("narrow", "wide"), WIDER)
def test_a_column_becomes_what_the_slice_declares_and_keeps_its_values(dwh: Compiled, narrow: str, wide: str) -> None:
    dwh.options = {"managed": True}
    found, staged = promoted(dwh, dwh.rows, narrow, wide)
    assert found == staged


def test_a_column_becomes_wider_beside_one_that_is_called_as_what_it_is_copied_to(dwh: Compiled) -> None:
    dwh.options = {"managed": True}
    dwh.collected(Mode.APPEND)
    for kind, arrow, value in (("int", pa.int32(), 1), ("long", pa.int64(), 2**40)):
        columns = [ID[0], ("x", kind, arrow), ("atoll_wider", "string", pa.string())]
        dwh.load([{"id": value, "x": value, "atoll_wider": "mine"}], columns)
    found = sorted((row["x"], row["atoll_wider"]) for row in dwh.rows(FLIGHTS))
    assert found == [(1, "mine"), (2**40, "mine")]


def test_drift_takes_no_other_types_for_wider(dwh: Compiled) -> None:
    assert declared(SLICE) == {pair for pair in WIDER if pair[1] in SOURCE}


@pytest.mark.parametrize("kind", refused(SLICE))
def test_a_type_that_redshift_keeps_in_no_table_is_refused_when_the_program_is_checked(dwh: Compiled, kind: str) -> None:
    with pytest.raises(ProgramErrors, match=r"`odd` .*, which redshift writes into no table: "):
        dwh.program("", [ID[0], ("odd", kind, pa.string())])


def test_sql_that_redshift_does_not_read_is_refused_when_the_program_is_checked(dwh: Compiled) -> None:
    with pytest.raises(ProgramErrors, match="Redshift has no FILTER"):
        dwh.program(
            f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT count(*) FILTER (WHERE id > 1) AS n FROM {FLIGHTS};"
        )


def test_rejected_rows_are_json_whatever_their_values(dwh: Compiled) -> None:
    rule = "EXPECT none: (i IS NULL AND i IS NOT NULL) OR QUARANTINE"
    dwh.program(
        f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE {rule} AS SELECT {', '.join(NAMES)} FROM {FLIGHTS};", COLUMNS
    )
    first, second, *_, nulls = warehouse_types.rows()  # a row's JSON has 65,535 bytes at most
    dwh.load([first, second, nulls], COLUMNS)
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


def test_a_transaction_of_as_many_statements_as_a_commit_makes_fits_with_those_that_settle_its_session() -> None:
    client = Mock()
    client.batch_execute_statement.return_value = {"Id": "1"}
    for group in ("", "atoll"):
        RedshiftService(client, {}, "here", group=group).submit(json.dumps(["SELECT 1"] * commit.MOST_STATEMENTS), "token")
    assert max(len(call.kwargs["Sqls"]) for call in client.batch_execute_statement.call_args_list) <= service.MOST_STATEMENTS
