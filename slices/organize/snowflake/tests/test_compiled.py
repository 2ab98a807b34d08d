"""A program with a warehouse in Snowflake, compiled as a user's is: its types, its names, its dialect, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from language import ProgramErrors, compile_with_positions
from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.organize.snowflake.config import Config, Key
from slices.organize.snowflake.handlers import open_driver
from slices.organize.snowflake.logic import SnowflakeSql, folded
from slices.organize.snowflake.slice import SLICE
from slices.registry import installed
from systems.sql_warehouse.dialect import table
from tests.conformance import warehouse_types
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake, Row, Typed, flights
from tests.conformance.warehouse_types import COLUMNS, NAMES, SOURCE, WIDER, alike, declared, promoted, refused
from tests.memory.snowflake import OPTIONS, snowflake

HEAD = f"""CREATE WAREHOUSE lake USING snowflake WITH ({", ".join(f"{name} = '{value}'" for name, value in OPTIONS.items())});
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE AS SELECT * FROM ops.public.flights;
"""


class Compiled(Lake):
    """The warehouse of a program that the compiler has read."""

    def program(self, views: str, columns: list[Typed] | None = None) -> None:
        known = tuple(SchemaColumn(name, kind, source=name, source_type=SOURCE[kind]) for name, kind, _ in columns or ID)
        schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.flights": Schema(known), "public.out": None})}
        compiled = compile_with_positions({"program.sql": HEAD + views}, installed(), schemas)
        self.cloud.writer.put_program(compiled.program, compiled.lineage)
        self.cloud.writer.activate(compiled.program, former_version=self.cloud.reader.active_version())
        self.flows = dict(compiled.program.flows)

    def rows(self, dataset: str) -> list[Row]:
        _, schema, name = dataset.split(".")
        rows = snowflake().asked(f"SELECT * FROM {table(SnowflakeSql(), schema, name)}")
        return [{folded(column): value for column, value in row.items()} for row in rows]

    def types(self, dataset: str) -> dict[str, str]:
        version = self.cloud.reader.latest_schema(dataset)
        assert version is not None
        return {c.name: c.type for c in version.schema.columns}


@pytest.fixture
def dwh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiled]:
    for cloud in open_cloud(monkeypatch):
        snowflake().empty(cloud.s3, cloud.bucket)
        cloud.put_secret("snowflake", snowflake().secret)
        yield Compiled(cloud, SLICE, open_driver)


def test_a_view_s_columns_have_the_types_that_it_was_compiled_with(dwh: Compiled) -> None:
    """A name is the same with quotes and without; a text with a backslash is what it says, and a part of a date is no column."""
    dwh.program(
        f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT \"carrier\", COUNT(*) AS id, sum(Id) AS all_of, "
        rf"iff(max(delay) > 2, 'a\n', '') AS said, max(dateadd(day, 1, batch_start())) AS until FROM {FLIGHTS} GROUP BY carrier;"
    )
    interval = dwh.load(flights((1, "AA", 1.5), (4, "AA", 2.5)))
    dwh.run(VIEW)
    (row,) = dwh.rows(VIEW)
    assert (row["carrier"], row["id"], row["all_of"], row["said"]) == ("AA", 2, 5, "a\\n")
    assert (row["until"] - interval.start).days == 1
    assert dwh.types(VIEW) == {
        **{"carrier": "string", "id": "long", "all_of": "decimal(38,0)", "said": "string", "until": "timestamptz"}
    }


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
    dwh.options = OPTIONS
    found, staged = promoted(dwh, dwh.rows, narrow, wide)
    assert found == staged


def test_drift_takes_no_other_types_for_wider(dwh: Compiled) -> None:
    assert declared(SLICE) == {pair for pair in WIDER if pair[1] in SOURCE}


@pytest.mark.parametrize("kind", refused(SLICE))
def test_a_type_that_is_kept_in_no_table_is_refused_when_the_program_is_checked(dwh: Compiled, kind: str) -> None:
    with pytest.raises(ProgramErrors, match=r"`odd` .*, which snowflake writes into no table: "):
        dwh.program("", [ID[0], ("odd", kind, pa.string())])


def test_sql_that_snowflake_does_not_read_is_refused_when_the_program_is_checked(dwh: Compiled) -> None:
    with pytest.raises(ProgramErrors, match="Snowflake has no FILTER"):
        dwh.program(
            f"CREATE MATERIALIZED VIEW {VIEW} EVERY '1 hour' REPLACE AS SELECT count(*) FILTER (WHERE id > 1) AS n FROM {FLIGHTS};"
        )


@pytest.mark.parametrize(
    "change",
    [{"account": "x/y"}, {"role": "a; drop"}, {"stage": "atoll"}, {"stage": "a.b.c' x"}, {"storage_user_arn": "*"}, {"acount": "x"}],
)
def test_wrong_options_are_told_with_what_is_accepted(change: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=next(iter(change))) as refused:
        Config.read({**OPTIONS, **change}, place="program.sql:1:1")
    assert "Remedy" in str(refused.value)


@pytest.mark.parametrize("name", [name for name, field in Config.model_fields.items() if field.is_required()])
def test_an_option_that_is_left_out_is_named(name: str) -> None:
    with pytest.raises(DefinitionError, match=f"needs the option {name}"):
        Config.read({key: value for key, value in OPTIONS.items() if key != name}, place="")


def test_a_secret_that_lacks_a_field_is_told_without_a_value() -> None:
    with pytest.raises(SecretError, match="private_key") as refused:
        Key.read({"user": "very-private"}, "snowflake", "here")
    assert "very-private" not in str(refused.value)
