"""What is written of nested values is read by a real Spark, whose SQL Databricks' is: with the types that are meant."""

from __future__ import annotations

import pytest

from doubles.emr_serverless.parts import fetched
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName, parsed
from slices.organize.databricks import nested
from slices.organize.databricks.logic import DatabricksSql, field
from tests.conformance.warehouse_types import NESTED
from tests.language.spark_oracle import asked
from tests.spark_lake import real_spark

pytestmark = [pytest.mark.deep, pytest.mark.nightly, pytest.mark.budget(200), pytest.mark.timeout(600)]
KINDS = [
    *(kind for _, kind, *_ in NESTED),
    "list<map<int, struct<Deep: list<binary>, z: list<timestamptz>>>>",
    'map<string, struct<"odd: name": struct<a: int, b: list<float>>>>',
]
NARROW, WIDE = (
    "struct<a: int, l: list<struct<b: float>>>",
    "struct<l: list<struct<n: map<string, date>, b: double>>, c: decimal(5,2), a: long>",
)


def told(kind: TypeName, named: nested.Named) -> str:
    """As the oracle says it, whose names have no quotes."""
    if kind.fields:
        return f"struct<{', '.join(f'{named(name)}: {told(part, named)}' for name, part in kind.named())}>"
    return f"{kind.word}<{', '.join(told(part, named) for part in kind.parts)}>" if kind.parts else str(kind)


def in_clocks(kind: TypeName) -> TypeName:
    return TypeName("timestamp") if kind.word == "timestamptz" else kind.over(in_clocks)


def test_spark_reads_what_is_written_of_nested_values() -> None:
    real_spark()
    sql, tables, wanted = DatabricksSql(), dict[str, str](), list[tuple[str, str]]()
    for at, kind in enumerate(map(parsed, KINDS)):
        column = SchemaColumn("c", str(kind))
        tables |= {f"filed{at}": f"c {nested.written(kind, str)}", f"kept{at}": f"c {nested.written(kind, field)}"}
        wanted += [
            (f"SELECT {sql.loaded(column)[1]} FROM filed{at}", told(kind, field)),
            (f"SELECT {sql.unloaded(column)} FROM kept{at}", told(in_clocks(kind), str)),
            (f"SELECT {sql.as_json([column])} FROM kept{at}", "string"),
            (f"SELECT CAST(NULL AS {sql.type(column.type)})", told(kind, field)),
        ]
    tables["narrow"] = f"c {sql.type(NARROW)}"
    wanted.append((f"SELECT {sql.becomes('c', NARROW, WIDE)} FROM narrow", told(parsed(WIDE), field)))
    wanted.append(("SELECT coalesce(0, '0')", "long"))  # in ANSI mode, as scripts ask: else it would be a string
    found = asked(fetched(), tables, [query for query, _ in wanted])
    assert dict(zip((query for query, _ in wanted), found, strict=True)) == dict(wanted)
