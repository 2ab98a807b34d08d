"""`atoll test`: what a view makes of given rows is what it would make of them in AWS, and what differs is shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Atoll = Callable[..., Result]
AIRLINE = Path(__file__).parents[2] / "examples" / "airline"
PROGRAM = """
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights) EVERY '1 hour' REPLACE;
CREATE FUNCTION late (t TABLE (carrier, dep_delay), least DOUBLE) RETURNS TABLE USING sql AS
SELECT carrier, dep_delay FROM t WHERE dep_delay > least;
CREATE MATERIALIZED VIEW lake.v.late EVERY '1 hour' REPLACE
  EXPECT short: (length(carrier) = 2) OR QUARANTINE
  EXPECT known: (carrier <> '??') OR WARN
AS SELECT carrier, sum(dep_delay) / 3 AS third, count(*) AS flights FROM late(lake.ops.flights, 10) GROUP BY carrier;
CREATE MATERIALIZED VIEW lake.v.of_batch EVERY '1 hour' APPEND
AS SELECT id, updated_at FROM lake.ops.flights WHERE updated_at >= batch_start() AND updated_at < batch_end();
CREATE MATERIALIZED VIEW lake.v.keyed EVERY '1 hour' MERGE ON (carrier) AS SELECT carrier, dest FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.v.far EVERY '1 hour' USING athena REPLACE AS SELECT carrier FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.v.auto EVERY '1 hour' USING auto REPLACE AS SELECT carrier FROM lake.ops.flights;
INSERT INTO ops.published.carrier_scorecard EVERY '1 hour' MERGE ON (carrier) AS SELECT carrier, flights FROM lake.v.late;
"""
FLIGHTS = "GIVEN lake.ops.flights CSV $$\n  carrier, dep_delay\n  AA, 9\n  AA, 20\n  UA, 11\n  UA, 10\n$$\n"


@pytest.fixture(autouse=True)
def program(folder: Path) -> None:
    (folder / "program.sql").write_text(PROGRAM)
    (folder / "tests").mkdir()
    (folder / "schemas").mkdir()
    shutil.copy(AIRLINE / "schemas" / "ops.json", folder / "schemas")


def _run(atoll: Atoll, text: str, *options: str) -> Result:
    Path("tests/a.sql").write_text(text)
    return atoll("test", *options)


def test_rows_in_make_rows_out(atoll: Atoll) -> None:
    made = "EXPECT CSV $$\n flights, carrier, third\n 1, UA, 3.666666666666667\n 1, AA, 6.6666666666667\n$$"
    result = _run(atoll, f"TEST t OF lake.v.late {FLIGHTS} {made};")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("ok    t  lake.v.late  tests/a.sql:1:6\n1 test, 0 failed, ")


def test_what_differs_is_shown_by_row(atoll: Atoll) -> None:
    text = f"TEST t OF lake.v.late {FLIGHTS} EXPECT CSV $$\n carrier, flights\n AA, 2\n UA, 1\n B6, 1\n$$;"
    result = _run(atoll, text)
    assert result.exit_code == 1
    shown = [line.split() for line in result.stdout.splitlines()]
    assert ["-", "AA", "2"] in shown and ["+", "AA", "1"] in shown and ["-", "B6", "1"] in shown and ["carrier", "flights"] in shown
    (found,) = json.loads(_run(atoll, text, "--json").stdout)["tests"]
    assert found["unexpected"] == [{"carrier": "AA", "flights": "1"}] and not found["sound"]
    assert found["missing"] == [{"carrier": "AA", "flights": "2"}, {"carrier": "B6", "flights": "1"}]
    assert (found["test"], found["of"], found["file"], found["line"]) == ("t", "lake.v.late", "tests/a.sql", 1)


def test_rows_that_are_there_twice_count_twice(atoll: Atoll) -> None:
    given = "GIVEN lake.ops.flights (SELECT unnest(['AA', 'AA']) AS carrier)"
    assert _run(atoll, f"TEST t OF lake.v.auto {given} EXPECT CSV 'carrier\nAA';").exit_code == 1
    assert _run(atoll, f"TEST t OF lake.v.auto {given} EXPECT CSV 'carrier\nAA\nAA';").exit_code == 0


def test_expectations_are_checked_too(atoll: Atoll) -> None:
    rows = "GIVEN lake.ops.flights CSV $$\n carrier, dep_delay\n LONG, 11\n ??, 12\n AA, 13\n$$"
    made = "EXPECT CSV $$\n carrier\n ??\n AA\n$$"  # what is quarantined is not among the rows
    result = _run(atoll, f"TEST t OF lake.v.late {rows} {made};")
    assert result.exit_code == 1 and "do not meet `short` (QUARANTINE): 1" in result.stdout and "`known` (WARN): 1" in result.stdout
    assert _run(atoll, f"TEST t OF lake.v.late {rows} {made} EXPECT short FAILS EXPECT known FAILS;").exit_code == 0
    result = _run(atoll, f"TEST t OF lake.v.late {FLIGHTS} EXPECT short FAILS;")
    assert result.exit_code == 1 and "each row meets `short`" in result.stdout


def test_a_batch_has_its_bounds(atoll: Atoll) -> None:
    moments = enumerate(("00:59:59", "01:00:00", "02:00:00"), start=1)
    listed = "".join(f"\n {number}, 2026-01-01T{moment}Z" for number, moment in moments)
    rows = f"GIVEN lake.ops.flights CSV $$\n id, updated_at{listed}\n$$"
    assert _run(atoll, f"TEST t OF lake.v.of_batch AT '2026-01-01T01:00:00Z' {rows} EXPECT CSV $$\n id\n 2\n$$;").exit_code == 0
    for at, said in (("", "add AT"), ("AT '2026-01-01T01:10:00Z'", "no batch of 60 minutes begins"), ("AT 'noon'", "is no moment")):
        result = _run(atoll, f"TEST t OF lake.v.of_batch {at} {rows} EXPECT NO ROWS;")
        assert result.exit_code == 1 and said in result.stderr


def test_a_function_is_tried_by_a_call(atoll: Atoll) -> None:
    result = _run(atoll, f"TEST t OF late(lake.ops.flights, 15) {FLIGHTS} EXPECT CSV $$\n carrier, dep_delay\n AA, 20\n$$;")
    assert result.exit_code == 0, result.output
    result = _run(atoll, "-- one\n\n  TEST t OF late(lake.ops.flihgts, 15) EXPECT NO ROWS;")
    assert result.exit_code == 1 and "tests/a.sql:3:18: nothing in the program makes `lake.ops.flihgts`" in result.stderr
    result = _run(atoll, "TEST t OF late(lake.ops.flights,\n 'x') EXPECT NO ROWS;")
    assert result.exit_code == 1 and "tests/a.sql:2:2: `least` of `late` is double, and this is string" in result.stderr
    Path("program.sql").write_text(PROGRAM + "CREATE FUNCTION early (t TABLE) RETURNS TABLE USING sql AS SELECT dep_time FROM t;")
    result = _run(atoll, "\n TEST t OF early(lake.v.late) EXPECT NO ROWS;")
    assert result.exit_code == 1 and "program.sql:17:" in result.stderr and "called at tests/a.sql:2:12\n" in result.stderr


@pytest.mark.deep
def test_what_is_published_is_tried(atoll: Atoll) -> None:
    given = "GIVEN lake.v.late (SELECT 'AA' AS carrier, 3 AS flights)"
    assert _run(atoll, f"TEST t OF ops.published.carrier_scorecard {given} EXPECT CSV 'carrier, flights\nAA, 3';").exit_code == 0


def test_rows_come_from_files(atoll: Atoll) -> None:
    Path("tests/flights.csv").write_text('\ufeffcarrier,dest\r\n"A,A",IAH\r\n')
    text = "TEST t OF lake.v.keyed GIVEN lake.ops.flights CSV FROM 'flights.csv' EXPECT (SELECT 'A,A' AS carrier);"
    assert _run(atoll, text).exit_code == 0
    result = _run(atoll, text.replace("flights.csv", "fligths.csv"))
    assert result.exit_code == 1 and "tests/a.sql:1:56: there is no file tests/fligths.csv" in result.stderr
    Path("tests/flights.csv").write_text("carrier\nA\0\n")
    result = _run(atoll, text)
    assert result.exit_code == 1 and "tests/a.sql:1:56: these rows have a zero byte" in result.stderr


def test_a_key_that_is_there_twice_fails(atoll: Atoll) -> None:
    result = _run(atoll, "TEST t OF lake.v.keyed GIVEN lake.ops.flights CSV 'carrier\nAA\nAA' EXPECT carier FAILS;")
    assert result.exit_code == 1 and "has no expectation `carier`" in result.stderr
    result = _run(atoll, "TEST t OF lake.v.keyed GIVEN lake.ops.flights CSV 'carrier\nAA\nAA' EXPECT NO ROWS;")
    assert result.exit_code == 1 and "several rows with the same carrier" in result.stdout


# What a test says wrongly: its text, and what is said at which place.
WRONG = [
    ("TEST t OF lake.v.lat EXPECT NO ROWS;", "1:11: no query in a warehouse makes `lake.v.lat`"),
    ("TEST t OF lake.ops.flights EXPECT NO ROWS;", "1:11: no query in a warehouse makes `lake.ops.flights`"),
    ("TEST t OF lake.v.late GIVEN lake.ops.planes NO ROWS EXPECT NO ROWS;", "1:29: `lake.v.late` does not read `lake.ops.planes`"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights CSV 'carier\nAA' EXPECT NO ROWS;", "1:51: there is no column `carier`"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights CSV $$\n id, carrier\n  x, AA\n$$ EXPECT NO ROWS;", "3:3: `x` is no long"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights CSV $$\n id, carrier\n 1\n$$ EXPECT NO ROWS;", "3:2: this row has 1 cells"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights CSV '' EXPECT NO ROWS;", "1:51: these rows do not begin with the names"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights (SELECT 1 AS id FROM x) EXPECT NO ROWS;", "1:47: these rows cannot be made"),
    (
        "TEST t OF lake.v.late GIVEN lake.ops.flights (SELECT * FROM read_csv('/etc/passwd')) EXPECT NO ROWS;",
        "1:47: these rows cannot be made",
    ),
    ("TEST t OF lake.v.late EXPECT CSV 'third\nmuch';", "2:1: `much` is no double"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights CSV $$\n id\n 1.5\n$$ EXPECT NO ROWS;", "3:2: `1.5` is no long"),
    ("TEST t OF lake.v.late EXPECT (SELECT 1.4 AS flights);", "1:31: `1.4` is no long, which `flights` is"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights (SELECT TRUE AS id) EXPECT NO ROWS;", "1:47: `true` is no long"),
    ("TEST t OF lake.v.late EXPECT CSV 'thrid\n1';", "1:35: there is no column `thrid`"),
    (f"TEST t OF lake.v.late EXPECT CSV 'carrier\n{'A' * 131_073}';", "2:1: this row is no CSV: field larger than"),
    ("TEST t OF lake.v.late EXPECT CSV 'carrier\rAA';", "1:35: this row is no CSV: new-line character"),
    ("TEST t OF lake.v.late AT '9999-12-31T23:00:00Z' EXPECT NO ROWS;", "1:26: '9999-12-31T23:00:00Z' is no moment"),
    ("TEST t OF lake.v.late AT '9999-12-31T23:00:00-05:00' EXPECT NO ROWS;", "1:26: '9999-12-31T23:00:00-05:00' is no moment"),
    ("TEST t OF lake.v.far EXPECT NO ROWS;", "1:11: the query is computed by Athena, which is not on this machine"),
    ("TEST t OF lake.v.late;", "1:6: this test expects nothing"),
    ("TEST t OF lake.v.late EXPECT NO ROWS", "1:37: this test does not end"),
    ("TEST t OF lake.v.late EXPECT NO ROWS; TEST T OF lake.v.late EXPECT NO ROWS;", "1:44: the test `T` is there twice"),
    ("TEST t OF lake.v.late GIVEN lake.ops.flights YAML EXPECT NO ROWS;", "1:46: `CSV` should stand here, not `YAML`"),
    ("TEST t OF lake.v.late EXPECT NO ROWS EXPECT NO ROWS;", "1:45: rows are expected twice"),
    ("TEST t OF lake.v.late WHEN x EXPECT NO ROWS;", "1:23: `WHEN` is no part of a test"),
    ("CREATE WAREHOUSE x USING iceberg;", "1:1: `TEST` should stand here, not `CREATE`"),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_test_is_told_with_its_place(text: str, said: str, atoll: Atoll) -> None:
    result = _run(atoll, text)
    assert result.exit_code == 1 and result.stderr.startswith(f"tests/a.sql:{said}"), result.stderr
    assert "help: " in result.stderr


def test_a_wrong_test_is_told_in_json_beside_those_that_ran(atoll: Atoll) -> None:
    answer = json.loads(
        _run(atoll, f"TEST t OF lake.v.late EXPECT NO ROWS; {WRONG[0][0].replace('TEST t', 'TEST u')}", "--json").stdout
    )
    assert [one["sound"] for one in answer["tests"]] == [True] and "`lake.v.lat`" in answer["errors"][0]["message"]


def test_mistakes_of_the_program_come_first(atoll: Atoll) -> None:
    Path("program.sql").write_text(PROGRAM.replace("dep_delay > least", "dep_dely > least"))
    result = _run(atoll, "TEST t OF lake.v.late EXPECT NO ROWS;")
    assert result.exit_code == 1 and "program.sql:6:" in result.stderr and "called at program.sql:10:" in result.stderr


def test_without_tests_one_is_shown(atoll: Atoll) -> None:
    result = atoll("test")
    assert result.exit_code == 1 and "there is no test: tests has no *.sql file" in result.stderr and "TEST a_day OF" in result.stderr


def test_without_snapshots_there_are_no_types(atoll: Atoll) -> None:
    shutil.rmtree("schemas")
    result = _run(atoll, "TEST t OF lake.v.late EXPECT NO ROWS;")
    assert result.exit_code == 1 and "atoll discover" in result.stderr


@pytest.mark.deep
def test_the_airlines_tests_hold(atoll: Atoll, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(AIRLINE, tmp_path / "airline", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path / "airline")
    result = atoll("test")
    assert result.exit_code == 0, result.output
    Path("program.sql").write_text(Path("program.sql").read_text().replace("a.type = 'Airline' AND", ""))
    result = atoll("test")
    assert result.exit_code == 1 and "FAIL  deals_are_those_of_airlines_that_are_there" in result.stdout
    assert ["+", "AA", "Partner", "2", "5", "10", "null", "0"] in [line.split() for line in result.stdout.splitlines()]


CODE = """
import random
import pyarrow as pa


def doubled(rows: pa.Table) -> pa.Table:
    return pa.table({"carrier": rows["carrier"], "delay": [2 * value for value in rows["dep_delay"].to_pylist()]})


def by_chance(rows: pa.Table) -> pa.Table:
    return pa.table({"carrier": rows["carrier"], "delay": [random.random() for _ in range(len(rows))]})
"""
IN_PYTHON = """
CREATE FUNCTION {0} (carrier VARCHAR, dep_delay DOUBLE) RETURNS TABLE (carrier VARCHAR, delay DOUBLE NOT NULL)
  USING python WITH (handler = 'models.delay:{0}');
CREATE MATERIALIZED VIEW lake.v.{0} EVERY '1 hour' REPLACE AS
SELECT d.carrier, sum(d.delay) AS delay FROM {0}((SELECT carrier, dep_delay FROM lake.ops.flights WHERE dep_delay > 9)) d GROUP BY 1;
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("doubled", ""),
        ("by_chance", "models/delay.py:by_chance gives other rows for the same ones when it is called again"),
        ("absent", "models/delay.py has no function absent"),
    ],
)
def test_a_function_in_python_runs_as_it_does_in_aws(atoll: Atoll, folder: Path, name: str, said: str) -> None:
    (folder / "models").mkdir()
    (folder / "models" / "delay.py").write_text(CODE)
    (folder / "program.sql").write_text(PROGRAM + IN_PYTHON.format(name))
    result = _run(atoll, f"TEST t OF lake.v.{name} {FLIGHTS} EXPECT CSV $$\n carrier, delay\n AA, 40\n UA, 42\n$$;")
    assert (result.exit_code == 0) is (not said) and said in result.output, result.output
