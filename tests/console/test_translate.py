"""`atoll translate`: statements written over to another engine, as text or into the program, and what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas

Atoll = Callable[..., Result]
HEAD = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' AS SELECT * FROM ops.public.flights;
"""
DAY = """CREATE MATERIALIZED VIEW lake.ops.carrier_day
  EVERY '1 hour' REPLACE
  EXPECT named: (starts_with(carrier, 'A') -- of the first
  ) OR WARN
AS SELECT carrier, -- who
  count(*) AS n, id // 2 AS half /* of it */
FROM lake.ops.flights
GROUP BY carrier, id;
"""
ODD = (
    "CREATE MATERIALIZED VIEW lake.ops.odd EVERY '1 hour' REPLACE AS "
    "SELECT regexp_matches(carrier, 'a') AS m FROM lake.ops.flights;\n"
)
OUT = "INSERT INTO ops.public.out EVERY '1 hour' MERGE ON (carrier) AS SELECT carrier, n / 2 AS half FROM lake.ops.carrier_day;\n"


@pytest.fixture(autouse=True)
def schemas(folder: Path) -> None:
    known = (("id", "long", "bigint"), ("carrier", "string", "text"), ("delay", "double", "double precision"))
    flights = Schema(tuple(SchemaColumn(name, kind, source=name, source_type=there) for name, kind, there in known))
    (folder / "schemas").mkdir()
    snapshot = ConnectionSchemas("ops", "postgres", {"public.flights": flights, "public.out": None})
    (folder / "schemas" / "ops.json").write_text(snapshot.to_json())


def test_a_view_is_shown_with_its_engine_lines_and_comments(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(HEAD + DAY)
    result = atoll("translate", "lake.ops.carrier_day", "--to", "spark")
    assert result.exit_code == 0, result.stderr
    assert (
        DAY.replace("AS SELECT", "USING spark\nAS SELECT").replace("starts_with", "startswith").replace("//", "DIV")[:-2]
        in result.stdout
    )
    assert (folder / "program.sql").read_text() == HEAD + DAY


def test_written_into_the_program_it_compiles_and_goes_back_again(atoll: Atoll, folder: Path) -> None:
    before = "\ufeff" + HEAD + DAY + OUT
    (folder / "program.sql").write_text(before)
    assert atoll("translate", "--to", "athena", "--write").exit_code == 0
    text = (folder / "program.sql").read_text()
    assert (
        text.count("USING athena") == 2 and "id / 2 AS half /* of it */" in text and "CAST(n AS DOUBLE) / CAST(2 AS DOUBLE)" in text
    )
    slices = json.loads(atoll("check", "--json").stdout)["slices"]
    assert "organize.athena" in slices
    assert atoll("translate", "--to", "duckdb", "--write").exit_code == 0
    assert (folder / "program.sql").read_text().replace("\nUSING duckdb", "").replace(" USING duckdb", "") == before


def test_what_is_not_known_is_told_at_its_place_and_the_rest_is_written(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(HEAD + DAY + ODD)
    result = atoll("translate", "--to", "athena", "--write")
    assert result.exit_code == 1 and "1 statement cannot be written over" in result.stdout
    assert "program.sql:12:72: `regexp_matches(…)` is not on the list of what means the same in athena" in result.stderr
    assert "help: write it by what is on the list" in result.stderr
    text = (folder / "program.sql").read_text()
    assert text.endswith(ODD) and text.count("USING athena") == 1


def test_json_has_the_statement_or_its_errors(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(HEAD + DAY + ODD)
    result = atoll("translate", "--to", "athena", "--json")
    one, other = json.loads(result.stdout)["statements"]
    assert result.exit_code == 1
    assert (one["dataset"], one["position"], one["written"], one["errors"]) == ("lake.ops.carrier_day", "program.sql:4:1", False, [])
    assert one["statement"].startswith("CREATE MATERIALIZED VIEW") and "USING athena" in one["statement"]
    assert other["statement"] == "" and other["errors"][0]["line"] == 12


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--to", "athens"], "there is no engine `athens` for a warehouse of iceberg"),
        (["lake.ops.carrier_dey", "--to", "athena"], "the program makes no view `lake.ops.carrier_dey`"),
    ],
)
def test_what_there_is_not_is_told_with_what_may_be_meant(atoll: Atoll, folder: Path, typed: list[str], said: str) -> None:
    (folder / "program.sql").write_text(HEAD + DAY)
    result = atoll("translate", *typed)
    assert result.exit_code == 1 and said in result.stderr and "did you mean" in result.stderr


def test_what_the_engine_computes_already_is_left(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(HEAD + DAY)
    result = atoll("translate", "--to", "duckdb")
    assert result.exit_code == 0 and "Nothing to write over" in result.stdout


def test_a_program_goes_to_another_warehouse_as_a_whole_and_compiles(atoll: Atoll, folder: Path) -> None:
    """Also what was computed by another engine of the former one, and the expectation of what is collected."""
    expects = HEAD.replace("EVERY '1 hour' AS", "EVERY '1 hour' EXPECT known: (delay > 1) OR WARN AS")
    (folder / "program.sql").write_text(expects.replace("USING iceberg", "USING iceberg WITH (keep = '1 day')") + DAY + OUT)
    result = atoll("translate", "--to", "redshift", "--with", "managed = TRUE", "--write")
    assert result.exit_code == 0, result.output
    text = (folder / "program.sql").read_text()
    assert "CREATE WAREHOUSE lake USING redshift WITH (managed = TRUE);" in text and "keep" not in text
    assert "EXPECT named: (strpos('x' || carrier, 'x' || 'A')" in text and "-- of the first" in text
    assert "EXPECT known: ((CAST(delay AS VARCHAR(32)) = 'NaN' OR delay > 1)) OR WARN" in text
    assert "SELECT carrier, -- who\n" in text and "id / 2 AS half /* of it */" in text and "USING" not in text.partition(";")[2]
    slices = json.loads(atoll("check", "--json").stdout)["slices"]
    assert sorted(slices) == ["collect.postgres", "harness.postgres", "organize.redshift"]


def test_what_the_other_warehouse_lacks_is_told_with_all_that_the_program_then_has_as_mistakes(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(HEAD + DAY)
    result = atoll("translate", "--to", "snowflake")
    assert result.exit_code == 1 and "program.sql:1:29: the option `account` is missing" in result.stderr
    assert "CREATE WAREHOUSE lake USING snowflake\n" in result.stdout and (folder / "program.sql").read_text() == HEAD + DAY


def test_what_cannot_be_written_over_to_another_warehouse_is_left_to_be_written(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(HEAD + ODD + DAY)
    result = atoll("translate", "--to", "redshift", "--with", "managed = TRUE", "--json")
    told = json.loads(result.stdout)
    left = [one["dataset"] for one in told["statements"] if one["errors"]]
    assert result.exit_code == 1 and left == ["lake.ops.odd"] and told["errors"] == []
    shown = atoll("translate", "--to", "redshift", "--with", "managed = TRUE")
    assert "1 statement cannot be written over, and is yours to write in redshift's SQL" in shown.stdout


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["lake.ops.carrier_day", "--to", "redshift", "--write"], "a warehouse goes to redshift as a whole"),
        (["--to", "spark", "--with", "managed = TRUE"], "--with is of another warehouse"),
        (["--to", "redshft"], "other warehouses are databricks, redshift, snowflake"),
    ],
)
def test_what_a_move_takes_is_told(atoll: Atoll, folder: Path, typed: list[str], said: str) -> None:
    (folder / "program.sql").write_text(HEAD + DAY)
    result = atoll("translate", *typed)
    assert result.exit_code == 1 and said in result.stderr and "help: " in result.stderr
    assert (folder / "program.sql").read_text() == HEAD + DAY


def test_one_view_is_shown_in_another_warehouse_s_sql(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(HEAD + DAY)
    result = atoll("translate", "lake.ops.carrier_day", "--to", "snowflake")
    assert result.exit_code == 0 and "startswith(carrier, 'A')" in result.stdout and "WAREHOUSE" not in result.stdout
