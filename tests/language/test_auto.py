"""The engine 'auto': a query has a second form in the larger engine's SQL, or is refused at its place."""

from __future__ import annotations

import pytest

from language import ProgramErrors, compile_with_positions
from language.cache.statements import Memo
from language.compiler import Compilation
from shared_metadata.program import Flow, Program
from shared_metadata.program.places import BATCH_END, BATCH_START
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

HEAD = """CREATE WAREHOUSE lake USING iceberg WITH ({options});
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' APPEND CURSOR seen AS SELECT * FROM ops.public.flights;
"""
VIEW = """CREATE MATERIALIZED VIEW lake.ops.late EVERY '1 hour' APPEND {using}
  EXPECT named: (contains(carrier, 'A') AND seen < batch_end()) OR WARN
AS SELECT *, id // 2 AS half FROM Lake.ops.flights f WHERE seen >= batch_start() AND seen < batch_end() AND contains(carrier, 'x');
"""
WORDS = {"lake.ops.flights": "[T]", BATCH_START: "[S]", BATCH_END: "[E]"}


def _compiled(text: str, options: str = "engine = 'auto'", memo: Memo | None = None) -> Compilation:
    known = (("id", "long", "bigint"), ("carrier", "string", "text"), ("seen", "timestamptz", "timestamp with time zone"))
    flights = Schema(tuple(SchemaColumn(name, kind, source=name, source_type=there) for name, kind, there in known))
    schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.flights": flights, "public.out": None})}
    return compile_with_positions({"program.sql": HEAD.format(options=options) + text}, installed(), schemas, memo)


def _flow(text: str, options: str = "engine = 'auto'") -> Flow:
    return _compiled(text.format(using=""), options).program.flows["lake.ops.late"]


def test_the_larger_engines_slice_runs_it_and_it_has_both_queries() -> None:
    flow = _flow(VIEW)
    assert flow.slice_id == "organize.athena" and flow.beyond is not None
    assert "id // 2 AS half" in flow.query and "FROM lake.ops.flights) f" in flow.query and "contains(carrier, 'x')" in flow.query
    large = flow.at_large.filled(WORDS)
    assert large.endswith("id / 2 AS half FROM [T] f WHERE seen >= [S] AND seen < [E] AND strpos(carrier, 'x') > 0")
    (condition,) = flow.at_large.expectations
    assert condition.predicate == "strpos(carrier, 'A') > 0 AND seen < batch_end()" and [p.means for p in condition.places] == [
        BATCH_END
    ]
    assert flow.expectations[0].predicate == "contains(carrier, 'A') AND seen < batch_end()"


def test_the_warehouse_names_the_larger_engine_and_a_statement_may_name_auto() -> None:
    assert _flow(VIEW, "engine = 'auto', larger = 'spark'").slice_id == "organize.spark"
    by_name = _compiled(VIEW.format(using="USING auto"), "target_file_mb = 64").program.flows["lake.ops.late"]
    assert by_name.slice_id == "organize.athena" and by_name.beyond is not None
    plain = _compiled(VIEW.format(using="USING duckdb")).program.flows["lake.ops.late"]
    assert plain.slice_id == "organize.iceberg" and plain.beyond is None


def test_what_cannot_be_written_over_is_refused_at_its_place() -> None:
    text = VIEW.format(using="").replace("contains(carrier, 'x')", "regexp_matches(carrier, 'x')")
    with pytest.raises(ProgramErrors) as caught:
        _compiled(text)
    (found,) = caught.value.diagnostics
    assert "`regexp_matches(…)` is not on the list of what means the same in athena" in found.cause
    line = text.splitlines()[2]
    assert line[found.column - 1 :].startswith("regexp_matches") and "help: " in str(found)
    assert _compiled(text, "engine = 'duckdb'").program.flows["lake.ops.late"].beyond is None


@pytest.mark.parametrize("larger", ["duckdb", "athens"])
def test_an_engine_that_does_not_take_over_is_refused(larger: str) -> None:
    with pytest.raises(ProgramErrors) as caught:
        _compiled(VIEW.format(using=""), f"engine = 'auto', larger = '{larger}'")
    assert "does not take over what is too large" in str(caught.value) and "athena, spark" in str(caught.value)


def test_what_is_published_has_both_queries_too() -> None:
    query = "SELECT carrier, sum(id) AS n FROM lake.ops.flights GROUP BY 1"
    text = f"INSERT INTO ops.public.out EVERY '1 hour' MERGE ON (carrier) AS {query};"
    flows = _compiled(text).program.flows
    result = flows["ops.public.out:result"]
    assert result.slice_id == "organize.athena" and flows["ops.public.out"].slice_id == "harness.postgres"
    assert result.query == query and "SELECT carrier, CAST(sum(id) AS DECIMAL(38, 0)) AS n" in result.at_large.query


def test_a_plan_is_the_same_out_of_its_json_and_out_of_a_memo() -> None:
    memo = Memo()
    first = _compiled(VIEW.format(using=""), memo=memo).program
    assert Program.from_json(first.to_json()) == first
    assert _compiled(VIEW.format(using=""), memo=memo).program == first
