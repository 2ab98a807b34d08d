"""What is nested in Databricks: types as its catalog writes them, and a change of fields that stopped in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles.databricks.column_types import catalogued as shown
from shared_metadata.contract.parquet.duckdb_types import duckdb_name
from shared_metadata.program import Mode
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of
from slices.organize.databricks import nested
from slices.organize.databricks.handlers import open_driver
from slices.organize.databricks.logic import DatabricksSql, field
from slices.organize.databricks.slice import SLICE
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, ID, Lake
from tests.memory.databricks import CATALOG, OPTIONS, databricks

SIMPLE = st.sampled_from([*nested.TYPES, "decimal(12,2)", "decimal(38,10)"]).map(parsed)
NAMES = st.sampled_from(["a", "Camel", "odd: name", "a.b", "100%", "größe", "`", "element"])


def _holding(parts: st.SearchStrategy[TypeName]) -> st.SearchStrategy[TypeName]:
    fields = st.lists(st.tuples(NAMES, parts), min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(
        lambda f: struct_of(tuple(f))
    )
    return parts.map(list_of) | st.tuples(SIMPLE, parts).map(lambda pair: map_of(*pair)) | fields


KINDS = st.recursive(SIMPLE, _holding, max_leaves=6)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(KINDS)
def test_a_type_is_known_again_as_the_catalog_writes_it(kind: TypeName) -> None:
    word = nested.catalogued(kind, field)
    assert nested.known(word, unquote) == kind
    assert DatabricksSql().type_known(f"atoll {kind}" + (f" | {word}" if kind.parts else ""), (0, 0)) == str(kind)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(KINDS)
def test_the_double_writes_it_in_the_same_words(kind: TypeName) -> None:
    stored = parsed(DatabricksSql().type_known(nested.catalogued(kind, field), (0, 0)) or "")
    assert shown(duckdb_name(_kept(stored))) == nested.catalogued(kind, field)


def _kept(kind: TypeName) -> TypeName:
    """With the names that its fields have there."""
    found = kind.over(_kept)
    return struct_of(tuple((field(name), part) for name, part in found.named())) if kind.fields else found


@pytest.mark.parametrize("word", ["variant", "struct<a:time>", "array<>", "struct<>", "map<int>", "array<int", "decimal(5)"])
def test_a_type_that_is_none_of_ours_is_not_known(word: str) -> None:
    assert nested.known(word, str) is None


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        databricks().empty(cloud.s3, cloud.bucket)
        cloud.put_secret("databricks", databricks().secret)
        found = Lake(cloud, SLICE, open_driver)
        found.options = OPTIONS
        yield found


@pytest.mark.parametrize("done", range(3))
def test_a_change_of_fields_that_stopped_anywhere_goes_on(lake: Lake, done: int) -> None:
    """Statements that define something commit by themselves, and the comment that tells the type is the last."""
    narrow = [ID[0], ("c", "struct<a: int>", pa.struct({"a": pa.int32()}))]
    wide = [ID[0], ("c", "struct<a: long, b: list<string>>", pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())}))]
    lake.collected(Mode.APPEND)
    lake.load([{"id": 1, "c": {"a": 1}}], narrow)
    steps = ["ALTER COLUMN c SET DATA TYPE STRUCT(a BIGINT)", "ADD COLUMN c.b VARCHAR[]"][:done]
    for step in steps:
        databricks().api.workspace.catalogs[CATALOG].connection.execute(f"ALTER TABLE ops.flights {step}")
    for number in (2, 3):
        lake.load([{"id": number, "c": {"a": 2**40, "b": ["x", None]}}], wide)
    rows: list[dict[str, Any]] = databricks().asked("SELECT id, c FROM ops.flights ORDER BY id")
    late = {"a": 2**40, "b": ["x", None]}
    assert [row["c"] for row in rows] == [{"a": 1, "b": None}, late, late]
    version = lake.cloud.reader.latest_schema(FLIGHTS)
    assert version is not None
    assert {column.name: column.type for column in version.schema.columns}["c"] == wide[1][1]
