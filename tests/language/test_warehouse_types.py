"""Every type of the type table against every warehouse and engine: taken, or refused with its reason and a remedy that works.

What is taken comes out as it went in: `test_every_type_is_kept_and_published_as_it_is` of each warehouse that keeps rows itself, and
`test_every_type_is_written_as_it_is_read` of each of the lake's engines.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from language import ProgramErrors, compile_with_positions
from language.compiler import Compilation
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from shared_metadata.program.type_names import PRIMITIVES, list_of, map_of, parsed, struct_of, words
from shared_metadata.program.type_widening import PROMOTIONS
from slices.registry import installed

SLICES = installed()
WAREHOUSES = sorted(s.system for s in SLICES.values() if s.stage == "organize" and s.engine == s.system and not s.warehouse)
ENGINES = {s.engine: s for s in SLICES.values() if s.engine and s.works_in == "iceberg"}  # of the lake
SIMPLE = [*sorted(PRIMITIVES), "decimal(12,2)", "decimal(38,10)"]
# PostgreSQL's words; what is nested has one of a source that is not asked.
SOURCE = {
    **{"boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "double precision", "date": "date"},
    **{"time": "time without time zone", "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone"},
    **{"string": "text", "uuid": "uuid", "binary": "bytea", "decimal(12,2)": "numeric(12,2)", "decimal(38,10)": "numeric(38,10)"},
}


def nested() -> Iterator[str]:
    """Each simple type within each of what holds others, and one deeper."""
    for kind in map(parsed, SIMPLE):
        struct = struct_of((("a", kind), ("b c", parsed("int"))))
        yield from map(
            str, (list_of(kind), map_of(parsed("string"), kind), struct, list_of(struct), map_of(parsed("int"), list_of(kind)))
        )


_ID = SchemaColumn("id", "long", source="id", source_type="bigint")
EVERY = [*SIMPLE, *nested()]


def compiled(
    system: str, kind: str, text: str = "SELECT id, odd FROM ops.public.things", more: str = "", options: str = ""
) -> Program:
    return compilation(system, kind, text, more, options).program


def compilation(system: str, kind: str, text: str, more: str, options: str = "") -> Compilation:
    columns = (_ID,)
    odd = SchemaColumn("odd", kind, source="odd", source_type=SOURCE.get(kind, "jsonb"))
    schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.things": Schema((*columns, odd)), "public.out": None})}
    program = (
        f"CREATE WAREHOUSE dwh USING {system}{options};\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
        f"INSERT INTO dwh.ops.things EVERY '1 hour' REPLACE AS {text};\n{more}"
    )
    return compile_with_positions({"program.sql": program}, SLICES, schemas)


def declaration(system: str) -> Slice:
    return SLICES[f"organize.{system}"]


def test_the_warehouses_are_found() -> None:
    assert {"redshift", "snowflake", "databricks"} <= set(WAREHOUSES)


@pytest.mark.parametrize("system", WAREHOUSES)
def test_a_type_is_taken_or_refused_at_its_column_with_its_reason_and_remedy(system: str) -> None:
    """Collected, in a view, and published."""
    able = declaration(system).capabilities
    never, because = set(able.never_written), dict(able.never_because)
    assert set(because) == never, "each has its reason"
    more = (
        "CREATE MATERIALIZED VIEW dwh.ops.seen EVERY '1 hour' REPLACE AS SELECT odd FROM dwh.ops.things;\n"
        "INSERT INTO ops.public.out EVERY '1 hour' REPLACE AS SELECT odd FROM dwh.ops.seen;\n"
    )
    for kind in EVERY:
        refused = never & set(words(parsed(kind)))
        try:
            found = compiled(system, kind, more=more)
        except ProgramErrors as error:
            said = str(error)
            assert refused, (kind, said)
            assert "program.sql:3:" in said and "`odd`" in said and any(word in said for word in refused) and system in said, said
            assert "CAST it to VARCHAR" in said and any(because[word] in said for word in refused), said
        else:
            assert not refused, kind
            assert {"dwh.ops.seen", "ops.public.out"} <= set(found.flows)


# https://iceberg.apache.org/docs/1.10.0/spark-getting-started/#iceberg-type-to-spark-type
READ_AS = {"spark": ("uuid", "string")}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_a_type_is_taken_by_an_engine_of_the_lake_or_refused_at_its_column_with_its_reason_and_remedy(engine: str) -> None:
    """In a view, and published; what is collected is written by the lake's own slice."""
    able = ENGINES[engine].capabilities
    never, because = set(able.never_written), dict(able.never_because)
    assert set(because) == never, "each has its reason"
    more = (
        f"CREATE MATERIALIZED VIEW dwh.ops.seen EVERY '1 hour' REPLACE USING {engine} AS SELECT odd FROM dwh.ops.things;\n"
        f"INSERT INTO ops.public.out EVERY '1 hour' REPLACE USING {engine} AS SELECT odd FROM dwh.ops.things;\n"
    )
    for kind in (one.replace('"b c"', "b_c") if able.plain_names else one for one in EVERY):
        written = kind.replace(*READ_AS.get(engine, ("", "")))
        refused = never & set(words(parsed(written)))
        try:
            found = compilation("iceberg", kind, "SELECT id, odd FROM ops.public.things", more)
        except ProgramErrors as error:
            said = str(error)
            assert refused, (kind, said)
            assert "program.sql:4:" in said and "program.sql:5:" in said and "program.sql:3:" not in said, said
            told = any(f"{word}, which {engine} writes into no table: {because[word]}" in said for word in refused)
            assert "`odd`" in said and (told or "reads no table that has a `time`" in said), said
            assert "CAST" in said and "USING" in said, said
        else:
            assert not refused and found.lineage is not None, kind
            made = [found.lineage.datasets[name].columns for name in ("dwh.ops.seen", "ops.public.out")]
            assert [[column.type for column in columns] for columns in made] == [[written], [written]]


@pytest.mark.parametrize("system", WAREHOUSES)
@pytest.mark.parametrize("kind", ["time", "uuid"])
def test_the_remedy_for_a_type_that_is_refused_works(system: str, kind: str) -> None:
    found = compiled(system, kind, "SELECT id, CAST(odd AS VARCHAR) AS odd FROM ops.public.things")
    assert "dwh.ops.things:load" in found.flows


# What a warehouse has of types that no dataset has, or that it keeps and Atoll does not: of a query's own values.
OWN = {
    "redshift": [
        "JSON_PARSE(odd)",
        "OBJECT('a', 1)",
        "ARRAY(1, 2)",
        "SPLIT_TO_ARRAY(odd, ',')",
        "CAST(odd AS TIME)",
        "CAST(odd AS SUPER)",
    ],
    "snowflake": [
        *(
            "PARSE_JSON(odd)",
            "TO_VARIANT(odd)",
            "OBJECT_CONSTRUCT('a', 1)",
            "ARRAY_CONSTRUCT(1)",
            "[1, 2]",
            "{'a': 1}",
            "SPLIT(odd, ',')",
        ),
        *("CAST(odd AS TIME)", "CAST(odd AS VARIANT)", "CAST(odd AS ARRAY)", "TO_TIME(odd)", "TO_GEOGRAPHY(odd)"),
    ],
    "databricks": [
        *(
            "parse_json(odd)",
            "from_json(odd, 'a INT')",
            "CAST(odd AS VARIANT)",
            "array()",
            "map('a', NULL)",
            "array(INTERVAL '1' DAY)",
        ),
    ],
}


@pytest.mark.parametrize(("system", "value"), [(system, value) for system, values in OWN.items() for value in values])
def test_a_value_of_a_type_that_is_kept_in_no_table_is_refused_where_it_is_selected(system: str, value: str) -> None:
    view = f"CREATE MATERIALIZED VIEW dwh.ops.seen EVERY '1 hour' REPLACE AS SELECT {value} AS v FROM dwh.ops.things;"
    with pytest.raises(ProgramErrors, match=r"program\.sql:4:") as refused:
        compiled(system, "string", more=view)
    assert "help" in str(refused.value)


# What of a warehouse that keeps what is nested a view makes and reads of it, each with its type.
MADE = {
    "databricks": {
        "array(1, 2)": "list<int>",
        "map('a', 1)": "map<string, int>",
        "named_struct('a', 1, 'B', odd)": "struct<a: int, B: string>",
        "split(odd, ',')": "list<string>",
        "transform(array(1), x -> x + CAST(1 AS bigint))": "list<long>",
        "collect_list(odd)": "list<string>",
    },
}


@pytest.mark.parametrize(("system", "value"), [(system, value) for system, values in MADE.items() for value in values])
def test_a_value_of_a_nested_type_is_a_column_of_a_view(system: str, value: str) -> None:
    view = f"CREATE MATERIALIZED VIEW dwh.ops.seen EVERY '1 hour' REPLACE AS SELECT {value} AS v FROM dwh.ops.things;"
    assert "dwh.ops.seen" in compiled(system, "string", more=view).flows


def test_a_field_has_its_own_lineage_and_a_nested_column_goes_on_to_what_is_published() -> None:
    more = (
        "CREATE MATERIALIZED VIEW dwh.ops.seen EVERY '1 hour' REPLACE AS SELECT odd.b, odd.\"b C\"[0] AS first, t.x "
        "FROM dwh.ops.things LATERAL VIEW explode(odd.l) t AS x;\n"
    )
    kind = 'struct<b: int, "b C": list<date>, l: list<string>>'
    schemas = {
        "ops": ConnectionSchemas(
            "ops", "postgres", {"public.things": Schema((_ID, SchemaColumn("odd", kind, source="odd", source_type="jsonb")))}
        )
    }
    program = (
        "CREATE WAREHOUSE dwh USING databricks;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
        f"INSERT INTO dwh.ops.things EVERY '1 hour' REPLACE AS SELECT id, odd FROM ops.public.things;\n{more}"
    )
    lineage = compile_with_positions({"program.sql": program}, SLICES, schemas).lineage
    assert lineage is not None
    (seen,) = lineage.some(["dwh.ops.seen"])
    assert {column.name: column.type for column in seen.columns} == {"b": "int", "first": "date", "x": "string"}


@pytest.mark.parametrize("kind", ["list<int>", "map<string, int>", "struct<a: int>"])
def test_rows_are_not_merged_by_a_nested_column_where_a_slice_says_so(kind: str) -> None:
    columns = Schema((_ID, SchemaColumn("odd", kind, source="odd", source_type="jsonb")))
    schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.things": columns})}
    program = (
        "CREATE WAREHOUSE dwh USING {};\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
        "INSERT INTO dwh.ops.things EVERY '1 hour' MERGE ON (id, odd) AS SELECT id, odd FROM ops.public.things;\n"
        "CREATE MATERIALIZED VIEW dwh.ops.seen EVERY '1 hour' MERGE ON (odd) AS SELECT odd FROM dwh.ops.things;"
    )
    compile_with_positions({"program.sql": program.format("iceberg")}, SLICES, schemas)
    with pytest.raises(ProgramErrors) as said:
        compile_with_positions({"program.sql": program.format("databricks")}, SLICES, schemas)
    assert "program.sql:3:" in str(said.value) and "program.sql:4:" in str(said.value), str(said.value)
    assert f"not merged by `odd`, which is a {kind}" in str(said.value)


@pytest.mark.parametrize("system", WAREHOUSES)
def test_what_a_warehouse_declares_of_itself_stands_in_the_plan(system: str) -> None:
    able = declaration(system).capabilities
    by_itself, told = (compiled(system, "int", options=options).warehouses["dwh"] for options in ("", " WITH (at_once = 3)"))
    assert (by_itself.at_once, told.at_once) == (able.at_once, 3) and by_itself.at_once > 0
    assert by_itself.widens == told.widens == able.widens


def test_the_lake_has_places_without_a_bound() -> None:
    lake = compiled("iceberg", "int").warehouses["dwh"]
    assert lake.at_once == 0 and lake.widens == PROMOTIONS


@pytest.mark.parametrize("system", WAREHOUSES)
def test_a_column_called_as_one_that_every_table_of_the_warehouse_has_is_refused_at_its_name(system: str) -> None:
    for name in declaration(system).capabilities.own_columns:
        with pytest.raises(ProgramErrors, match=rf"`{name}` is a column of organize\.{system}'s own") as refused:
            compiled(system, "string", f'SELECT id, odd AS "{name}" FROM ops.public.things')
        assert "rename it by AS" in str(refused.value)
