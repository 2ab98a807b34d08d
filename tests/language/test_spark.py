"""What is Spark's alone among dialects that are typed by lists: the rest is in `test_listed`; a real Spark has the last word."""

from __future__ import annotations

import pytest

from language import ProgramErrors, compile_with_positions
from slices.registry import installed
from tests.language.typed_query import typed


def test_a_table_with_a_time_is_refused_whole_for_spark_reads_none_of_it() -> None:
    tables = {"far.ops.t": {"id": "long", "opens": "list<time>"}}
    (problem,) = typed("SELECT id FROM far.ops.t", tables, "spark").problems
    assert "Spark reads no table that has a `time`, as `far.ops.t` has in the column `opens`" in problem.cause


def test_a_program_s_view_is_read_so_where_it_names_spark() -> None:
    text = "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'spark');CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE {}"
    with pytest.raises(ProgramErrors, match="Spark has no function `lwer`"):
        compile_with_positions({"p.sql": text.format("AS SELECT lwer('x') AS x;")}, installed())
    compile_with_positions({"p.sql": text.format("USING duckdb AS SELECT list_sum([1]) AS x;")}, installed())
