"""Spark's dialect: types by its own rules, mistakes at their places, and nothing guessed; a real Spark has the last word."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from language import ProgramErrors, compile_with_positions
from language.dialects.spark.functions import functions
from language.dialects.spark.types import common, said, schema_type, spark_type
from language.text.diagnostics import Problem
from shared_metadata.program.type_names import TypeName
from slices.registry import installed
from tests.language.typed_query import pinned, typed

TABLES = {
    "far.ops.flights": {
        **{"id": "long", "n": "int", "carrier": "string", "delay": "double", "price": "decimal(10,2)", "wide": "decimal(38,10)"},
        **{"day": "date", "seen": "timestamptz", "at": "timestamp", "tags": "list<string>", "ok": "boolean", "raw": "binary"},
        **{"small": "float", "named": "map<string, long>", "place": "struct<city: string, zip: int>", "_batch": "timestamptz"},
    },
    "far.ops.airlines": {"carrier": "string", "name": "string"},
}
# Each a SELECT's item, and what it gives by https://spark.apache.org/docs/3.5.6/sql-ref-functions.html
GIVES = {
    "date_trunc('day', seen)": "timestamptz",
    "trunc(day, 'MM')": "date",
    "n + 1": "int",
    "n + id": "long",
    "n / 2": "double",
    "n DIV 2": "long",
    "n % 2": "int",
    "2147483648": "long",
    "id * 1.5": "decimal(23,1)",
    "price + 1": "decimal(11,2)",
    "price + n": "decimal(13,2)",
    "price * price": "decimal(21,4)",
    "price / n": "decimal(21,13)",
    "price / 3": "decimal(14,6)",
    "price % n": "decimal(10,2)",
    "wide * wide": "decimal(38,6)",
    "wide / price": "decimal(38,8)",
    "wide + id": "decimal(38,9)",
    "0.05": "decimal(2,2)",
    "price + small": "double",
    "small * 2": "double",
    "-price": "decimal(10,2)",
    "n / 2e0": "double",
    "day + INTERVAL '1' DAY": "date",
    "day + INTERVAL '1' MONTH": "date",
    "day + INTERVAL '1' HOUR": "timestamptz",
    "seen - INTERVAL '1' HOUR": "timestamptz",
    "at + INTERVAL '1' DAY": "timestamp",
    "carrier || 'it''s \\ so'": "string",
    "coalesce(n, id)": "long",
    "CASE WHEN ok THEN 1 ELSE 2.5 END": "decimal(11,1)",
    "if(ok, n, NULL)": "int",
    "nullif(carrier, '')": "string",
    "CAST(carrier AS date)": "date",
    "TRY_CAST(carrier AS decimal(12, 3))": "decimal(12,3)",
    "CAST(seen AS timestamp_ntz)": "timestamp",
    "carrier LIKE 'a%' AND n BETWEEN 1 AND 5": "boolean",
    "carrier RLIKE 'a.*'": "boolean",
    "n <=> id": "boolean",
    "day = DATE '2024-01-01' OR NOT ok": "boolean",
    "day < seen": "boolean",
    "seen = TIMESTAMP '2024-01-01 00:00:00'": "boolean",
    "length(carrier)": "int",
    "sha2(raw, 256)": "string",
    "md5(raw)": "string",
    "split(carrier, ',')": "list<string>",
    "substring(carrier, 1, 2)": "string",
    "element_at(tags, 1)": "string",
    "tags[0]": "string",
    "named['a']": "long",
    "place.zip": "int",
    "map_keys(named)": "list<string>",
    "array(n, id)": "list<long>",
    "map('a', n, 'b', n)": "map<string, int>",
    "struct(n, carrier)": "struct<n: int, carrier: string>",
    "named_struct('a', day, 'b', 1)": "struct<a: date, b: int>",
    "size(tags)": "int",
    "sort_array(tags)": "list<string>",
    "array_join(tags, ',')": "string",
    "greatest(n, id)": "long",
    "extract(year FROM day)": "int",
    "extract(second FROM seen)": "decimal(8,6)",
    "year(day)": "int",
    "hour(seen)": "int",
    "datediff(day, day)": "int",
    "months_between(day, seen)": "double",
    "add_months(day, 1)": "date",
    "last_day(day)": "date",
    "date_format(seen, 'yyyy')": "string",
    "to_date(carrier, 'yyyy')": "date",
    "to_timestamp(carrier)": "timestamptz",
    "unix_seconds(seen)": "long",
    "round(price)": "decimal(9,0)",
    "round(price, 1)": "decimal(10,1)",
    "round(price, -1)": "decimal(9,0)",
    "round(delay, 2)": "double",
    "round(n)": "int",
    "ceil(price)": "decimal(9,0)",
    "floor(delay)": "long",
    "abs(n)": "int",
    "pow(n, 2)": "double",
    "log10(n)": "double",
    "pmod(n, 3)": "int",
    "nvl(n, 0)": "int",
    "regexp_replace(carrier, 'a', 'b')": "string",
    "regexp_extract(carrier, '(a)', 1)": "string",
    "concat_ws(',', carrier, carrier)": "string",
    "CAST(to_json(place) AS string)": "string",
    "batch_end()": "timestamptz",
}
OVER_ROWS = {
    "count(*)": "long",
    "count(DISTINCT carrier)": "long",
    "count_if(ok)": "long",
    "sum(n)": "long",
    "sum(price)": "decimal(20,2)",
    "sum(wide)": "decimal(38,10)",
    "sum(small)": "double",
    "avg(n)": "double",
    "avg(price)": "decimal(14,6)",
    "avg(wide)": "decimal(38,14)",
    "max(seen)": "timestamptz",
    "min_by(carrier, delay)": "string",
    "collect_list(day)": "list<date>",
    "stddev(n)": "double",
    "percentile(n, 0.5)": "double",
    "approx_count_distinct(carrier)": "long",
    "sum(delay) FILTER (WHERE ok)": "double",
    "row_number() OVER (PARTITION BY carrier ORDER BY id)": "int",
    "lag(price) OVER (ORDER BY id)": "decimal(10,2)",
    "sum(n) OVER ()": "long",
}
WRONG = {
    "carrier + 1": ("carrier + 1", "there is no string + int"),
    "upper(n)": ("upper(n)", "`upper` is not known to take (int)"),
    "no_such(n)": ("no_such(n)", "Spark has no function `no_such`"),
    "now()": ("now()", "gives something else each time"),
    "current_date": ("", "gives something else each time"),
    "uuid()": ("uuid()", "gives something else each time"),
    "first(n)": ("first(n)", "gives something else each time"),
    "reflect('java.lang.System', 'exit', 1)": ("", "runs code that no program holds"),
    "explode(tags)": ("explode(tags)", "what `explode` gives is not known here"),
    "carrierr": ("carrierr", "there is no column `carrierr`"),
    "carrier = 1": ("carrier = 1", "string and int, which have no type in common"),
    "CASE WHEN ok THEN carrier ELSE n END": ("", "string and int, which have no type in common"),
    "NOT n": ("n", "this is int, and no condition"),
    "NULL": ("x", "this column is NULL, which no table can hold"),
    "transform(tags, t -> t)": ("", "not known here"),
    "day - day": ("day - day AS x", "this column is interval day, which no table can hold"),
    "n AS _file, n": ("n AS _file", "Iceberg has a column `_file` of its own in every table"),
    "tags['a']": ("", "there is no array<string>[string]"),
}


def _mistakes(query: str) -> list[tuple[str, str]]:
    return [(query[p.start : p.end], p.cause) for p in typed(query, TABLES, "spark").problems]


def test_expressions_have_the_types_that_spark_gives_them() -> None:
    for expression, kind in {**GIVES, **OVER_ROWS}.items():
        found = typed(f"SELECT {expression} AS x FROM far.ops.flights", TABLES, "spark")
        assert (expression, found.problems, [column.type for column in found.columns]) == (expression, (), [kind])


@pytest.mark.parametrize("expression", WRONG)
def test_what_spark_refuses_and_what_is_not_known_is_told_at_its_place(expression: str) -> None:
    ((words, cause),) = _mistakes(f"SELECT {expression} AS x FROM far.ops.flights")
    assert WRONG[expression][1] in cause and WRONG[expression][0] in (words, "")


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("SELECT carrier, max(id) AS m FROM far.ops.flights", "neither in GROUP BY nor within an aggregate"),
        ("SELECT carrier FROM far.ops.flights WHERE count(*) > 1", "WHERE is read before rows are grouped"),
        ("SELECT carrier FROM far.ops.flights f JOIN far.ops.airlines a ON f.carrier = a.carrier", "is ambiguous"),
        ("SELECT * FROM far.ops.flights CROSS JOIN far.ops.airlines", "two columns would be called `carrier`"),
        ("SELECT id FROM far.ops.flights UNION ALL SELECT name FROM far.ops.airlines", "bigint on one side and string"),
        ("SELECT id FROM far.ops.flights LATERAL VIEW explode(tags) u AS t", "not known here"),
        ("SELECT id FROM far.ops.flights DISTRIBUTE BY id", "not known here"),
        ("SELECT a.id FROM far.ops.flights AS a TABLESAMPLE (10 PERCENT)", "not known here"),
        ("SELECT a.name FROM far.ops.flights f LEFT SEMI JOIN far.ops.airlines a ON f.carrier = a.carrier", "there is no column"),
    ],
)
def test_a_query_that_spark_does_not_run_or_that_is_not_known_is_refused(query: str, cause: str) -> None:
    assert any(cause in found for _, found in _mistakes(query)), _mistakes(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT `id` FROM far.ops.flights",
        "SELECT id FROM parquet.`s3://elsewhere`",
        "SELECT id, 'a' 'b' AS t FROM far.ops.flights",
        r"SELECT id, e'a\n' AS t FROM far.ops.flights",
        "SELECT id, r'a' AS t FROM far.ops.flights",
        "SELECT id, $$a$$ AS t FROM far.ops.flights",
        "SELECT n::string AS n FROM far.ops.flights",
        "SELECT id FROM far.ops.flights QUALIFY row_number() OVER (ORDER BY id) = 1",
        "FROM far.ops.flights SELECT id",
        "SELECT * EXCEPT (id) FROM far.ops.flights",
        "SELECT id, , n FROM far.ops.flights",
        "DELETE FROM far.ops.flights",
        "SELECT (id",
    ],
)
def test_what_is_no_query_and_what_spark_would_read_otherwise_is_refused(query: str) -> None:
    with pytest.raises(Problem):
        typed(query, TABLES, "spark")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT f.carrier AS c, count(*) AS n FROM far.ops.flights f GROUP BY c HAVING n > 1 ORDER BY n DESC LIMIT 3",
        "SELECT upper(f.carrier) AS c FROM far.ops.flights f GROUP BY UPPER(carrier)",
        'SELECT "carrier", name FROM far.ops.flights JOIN far.ops.airlines USING (carrier)',
        "SELECT carrier FROM far.ops.flights f LEFT ANTI JOIN far.ops.airlines a ON f.carrier = a.carrier",
        "WITH x AS (SELECT carrier, n FROM far.ops.flights) SELECT x.* FROM x WHERE n > (SELECT avg(n) FROM x)",
        "SELECT 'it''s -- not a comment' AS a, /* nor 'a text */ id FROM far.ops.flights -- 'either",
    ],
)
def test_a_query_that_spark_runs_is_taken(query: str) -> None:
    assert _mistakes(query) == []


def test_a_table_with_a_time_is_refused_whole_for_spark_reads_none_of_it() -> None:
    tables = {"far.ops.t": {"id": "long", "opens": "list<time>"}}
    (problem,) = typed("SELECT id FROM far.ops.t", tables, "spark").problems
    assert "Spark reads no table that has a `time`, as `far.ops.t` has in the column `opens`" in problem.cause


def test_a_star_is_written_out_and_a_table_keeps_its_name() -> None:
    found = pinned("SELECT a.*, airlines.name AS n FROM far.ops.airlines AS a, far.ops.airlines", TABLES, "spark")
    assert found.startswith("SELECT a.carrier, a.name, airlines.name AS n FROM") and found.endswith("far.ops.airlines AS airlines")


def test_each_signature_can_be_met_and_no_function_is_named_twice() -> None:
    known = functions()
    plain = {"N": "bigint", "D": "date", "T": "string", "U": "string"}
    groups = (known.signatures.keys(), known.varying, known.structs, known.digits, known.outside, known.others)
    assert sum(map(len, groups)) == len(known.names)
    for name, signatures in known.signatures.items():
        for signature in signatures:
            assert known.result(name, [_plain(each, plain) for each in signature.arguments]) is not None, name
    assert known.aggregates | known.windows <= known.signatures.keys()


def _plain(pattern: TypeName, words: Mapping[str, str]) -> TypeName:
    sizes = (10, 2) if pattern.word == "decimal" else ()
    return TypeName(words.get(pattern.word, pattern.word), tuple(_plain(part, words) for part in pattern.parts), sizes=sizes)


@pytest.mark.parametrize("name", ["int", "decimal(12,4)", "list<map<string, long>>", "struct<a: int, b: list<date>>", "timestamptz"])
def test_a_type_of_a_table_comes_back_as_it_was(name: str) -> None:
    assert schema_type(spark_type(name)) == name and said(spark_type(name))
    assert common(spark_type(name), spark_type(name)) == spark_type(name)


def test_a_program_s_view_is_read_so_where_it_names_spark() -> None:
    text = "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'spark');CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE {}"
    with pytest.raises(ProgramErrors, match="Spark has no function `lwer`"):
        compile_with_positions({"p.sql": text.format("AS SELECT lwer('x') AS x;")}, installed())
    compile_with_positions({"p.sql": text.format("USING duckdb AS SELECT list_sum([1]) AS x;")}, installed())
