"""Trino's dialect: types by its own rules, mistakes at their places, and nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from language import ProgramErrors, compile_with_positions
from language.cache.statements import Memo
from language.dialects.trino.functions import UNTOLD, functions
from language.dialects.trino.types import common, said, schema_type, trino_type
from language.text.diagnostics import Problem
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.source_schemas import ConnectionSchemas
from shared_metadata.program.type_names import TypeName
from tests.language.typed_query import pinned, typed

HERE = Path(__file__).parent / "typed"
TABLES = {
    "far.ops.flights": {
        **{"id": "long", "n": "int", "carrier": "string", "delay": "double", "price": "decimal(10,2)", "day": "date"},
        **{
            "seen": "timestamptz",
            "at": "timestamp",
            "tags": "list<string>",
            "ok": "boolean",
            "raw": "binary",
            "_batch": "timestamptz",
        },
    },
    "far.ops.airlines": {"carrier": "string", "name": "string"},
}
# Each a SELECT's item, and what it gives by https://trino.io/docs/current/language/types.html and …/functions.html
GIVES = {
    "date_trunc('day', seen)": "timestamptz",
    "date_trunc('month', day)": "date",
    "n + 1": "int",
    "n + id": "long",
    "n / 2": "int",
    "id * 1.5": "decimal(21,1)",
    "price + 1": "decimal(13,2)",
    "price * price": "decimal(20,4)",
    "price / n": "decimal(10,2)",
    "n / 2e0": "double",
    "day + INTERVAL '1' DAY": "date",
    "seen - INTERVAL '1' HOUR": "timestamptz",
    "carrier || 'x'": "string",
    "coalesce(n, id)": "long",
    "CASE WHEN ok THEN 1 ELSE 2.5 END": "decimal(11,1)",
    "if(ok, n, NULL)": "int",
    "nullif(carrier, '')": "string",
    "CAST(carrier AS date)": "date",
    "TRY_CAST(carrier AS decimal(12, 3))": "decimal(12,3)",
    "carrier LIKE 'a%' AND n BETWEEN 1 AND 5": "boolean",
    "day = DATE '2024-01-01' OR NOT ok": "boolean",
    "day < seen": "boolean",
    "length(carrier)": "long",
    "sha256(to_utf8(carrier))": "binary",
    "split(carrier, ',')": "list<string>",
    "element_at(tags, 1)": "string",
    "map(tags, tags)": "map<string, string>",
    "ARRAY[n, id]": "list<long>",
    "extract(year FROM day)": "long",
    "date_diff('day', day, at)": "long",
    "round(price)": "decimal(9,0)",
    "CAST(json_size(carrier, '$') AS bigint)": "long",
    "batch_end()": "timestamptz",
}
OVER_ROWS = {
    "count(*)": "long",
    "count(DISTINCT carrier)": "long",
    "sum(n)": "long",
    "sum(price)": "decimal(38,2)",
    "avg(n)": "double",
    "avg(price)": "decimal(10,2)",
    "max(seen)": "timestamptz",
    "min_by(carrier, delay)": "string",
    "array_agg(day)": "list<date>",
    "sum(delay) FILTER (WHERE ok)": "double",
    "row_number() OVER (PARTITION BY carrier ORDER BY id)": "long",
    "lag(price) OVER (ORDER BY id)": "decimal(10,2)",
    "sum(n) OVER ()": "long",
}
WRONG = {
    "carrier + 1": ("carrier + 1", "there is no varchar + integer"),
    "upper(n)": ("upper(n)", "`upper` is not known to take (integer)"),
    "no_such(n)": ("no_such(n)", "Trino has no function `no_such`"),
    "uper(carrier)": ("uper(carrier)", "Trino has no function `uper`"),
    "now()": ("now()", "gives something else each time"),
    "current_date": ("", "gives something else each time"),
    "uuid()": ("uuid()", "gives something else each time"),
    "soundex(carrier)": ("soundex(carrier)", "what `soundex` gives is not known here"),
    "carrierr": ("carrierr", "there is no column `carrierr`"),
    "carrier = 1": ("carrier = 1", "varchar and integer, which have no type in common"),
    "day = '2024-01-01'": ("day = '2024-01-01'", "date and varchar, which have no type in common"),
    "CASE WHEN ok THEN carrier ELSE n END": ("", "varchar and integer, which have no type in common"),
    "NOT n": ("n", "this is integer, and no condition"),
    "NULL": ("x", "this column is NULL, which no table can hold"),
    "n * DECIMAL '1.19'": ("", "how many decimals this has is not known"),
    "CAST('1.19' AS decimal)": ("", "how many decimals this has is not known"),
    "transform(tags, t -> t)": ("", "not known here"),
    "day - day": ("day - day AS x", "this column is interval, which no table can hold"),
}


def _mistakes(query: str) -> list[tuple[str, str]]:
    return [(query[p.start : p.end], p.cause) for p in typed(query, TABLES, "trino").problems]


@pytest.mark.parametrize("expression", {**GIVES, **OVER_ROWS})
def test_an_expression_has_the_type_that_trino_gives_it(expression: str) -> None:
    found = typed(f"SELECT {expression} AS x FROM far.ops.flights", TABLES, "trino")
    assert found.problems == () and [column.type for column in found.columns] == [{**GIVES, **OVER_ROWS}[expression]]


@pytest.mark.parametrize("expression", WRONG)
def test_what_trino_refuses_and_what_is_not_known_is_told_at_its_place(expression: str) -> None:
    ((words, cause),) = _mistakes(f"SELECT {expression} AS x FROM far.ops.flights")
    assert WRONG[expression][1] in cause and WRONG[expression][0] in (words, "")


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("SELECT carrier, max(id) AS m FROM far.ops.flights", "neither in GROUP BY nor within an aggregate"),
        ("SELECT carrier FROM far.ops.flights WHERE count(*) > 1", "WHERE is read before rows are grouped"),
        ("SELECT carrier FROM far.ops.flights f JOIN far.ops.airlines a ON f.carrier = a.carrier", "is ambiguous"),
        ("SELECT * FROM far.ops.flights CROSS JOIN far.ops.airlines", "two columns would be called `carrier`"),
        ("SELECT id FROM far.ops.flights UNION ALL SELECT name FROM far.ops.airlines", "bigint on one side and varchar"),
        ("SELECT t FROM far.ops.flights CROSS JOIN UNNEST(tags) AS u (t)", "cannot be read in FROM here"),
        ("SELECT f.carrier FROM far.ops.flights f JOIN far.ops.airlines a USING (carrier)", "USING makes `carrier` one column"),
        ("SELECT carrier, sum(n) FILTER (WHERE ok) OVER () AS s, max(n) AS m FROM far.ops.flights", "neither in GROUP BY"),
        ("SELECT a.id FROM far.ops.flights AS a TABLESAMPLE BERNOULLI (10)", "not known here"),
    ],
)
def test_a_query_that_trino_does_not_run_or_that_is_not_known_is_refused(query: str, cause: str) -> None:
    assert any(cause in found for _, found in _mistakes(query)), _mistakes(query)


@pytest.mark.parametrize(
    "query",
    [
        "FROM far.ops.flights",
        "SELECT * EXCLUDE (id) FROM far.ops.flights",
        "SELECT f.* REPLACE (1 AS id) FROM far.ops.flights f",
        "SELECT carrier::varchar AS c FROM far.ops.flights",
        "SELECT [1, 2] AS l FROM far.ops.flights",
        "SELECT day + INTERVAL 1 DAY AS d FROM far.ops.flights",
        "SELECT day + INTERVAL '1 day' AS d FROM far.ops.flights",
        "SELECT id FROM far.ops.flights LIMIT 5 OFFSET 2",
        "SELECT id, , n FROM far.ops.flights",
        "SELECT id FROM",
        "DELETE FROM far.ops.flights",
        "SELECT (id",
    ],
)
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(Problem):
        typed(query, TABLES, "trino")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT f.carrier, count(*) AS n FROM far.ops.flights f GROUP BY carrier",
        "SELECT carrier, count(*) AS n FROM far.ops.flights f GROUP BY f.carrier",
        "SELECT upper(f.carrier) AS c FROM far.ops.flights f GROUP BY UPPER(carrier)",
        "SELECT id, sum(n) FILTER (WHERE ok) OVER (PARTITION BY carrier) AS s FROM far.ops.flights",
        "SELECT carrier, name FROM far.ops.flights JOIN far.ops.airlines USING (carrier)",
    ],
)
def test_a_query_that_trino_runs_is_taken(query: str) -> None:
    assert _mistakes(query) == []


def test_columns_of_using_are_one_of_no_table_and_of_a_type_that_both_become() -> None:
    joined = "(SELECT n AS id, ok FROM far.ops.flights) l FULL JOIN (SELECT id, day FROM far.ops.flights) r USING (id)"
    found = typed(f"SELECT * FROM {joined}", TABLES, "trino")
    assert [(c.name, c.type) for c in found.columns] == [("id", "long"), ("ok", "boolean"), ("day", "date")]
    assert pinned(f"SELECT * FROM {joined}", TABLES, "trino").startswith("SELECT id, l.ok, r.day FROM")
    assert [c.name for c in typed(f"SELECT l.* FROM {joined}", TABLES, "trino").columns] == ["ok"]


def test_an_outer_join_makes_nulls_and_a_star_leaves_out_what_is_atolls() -> None:
    found = typed("SELECT f.*, a.name FROM far.ops.flights f LEFT JOIN far.ops.airlines a USING (carrier)", TABLES, "trino")
    names = [column.name for column in found.columns]
    assert found.problems == () and "_batch" not in names and names[-1] == "name"


def test_each_signature_can_be_met_and_no_function_is_named_twice() -> None:
    known = functions()
    plain = {"N": "bigint", "D": "date", "T": "varchar", "U": "varchar", "decimal": "decimal"}
    for name, signatures in known.signatures.items():
        assert name not in known.others and name not in known.varying
        for signature in signatures:
            arguments = [_plain(each, plain) for each in signature.arguments]
            assert known.result(name, arguments) is not None, name
    assert known.aggregates | known.windows <= known.signatures.keys() and known.varying <= known.others
    assert known.result("sign", [TypeName("decimal", sizes=(5, 1))]) == UNTOLD


def _plain(pattern: TypeName, words: Mapping[str, str]) -> TypeName:
    sizes = (10, 2) if pattern.word == "decimal" else ()
    return TypeName(words.get(pattern.word, pattern.word), tuple(_plain(part, words) for part in pattern.parts), sizes=sizes)


@pytest.mark.parametrize("name", ["int", "decimal(12,4)", "list<map<string, long>>", "struct<a: int, b: list<date>>", "timestamptz"])
def test_a_type_of_a_table_comes_back_as_it_was(name: str) -> None:
    assert schema_type(trino_type(name)) == name and said(trino_type(name))
    assert common(trino_type(name), trino_type(name)) == trino_type(name)


def test_a_program_is_the_same_out_of_what_the_memo_knows(slices: Mapping[str, Slice]) -> None:
    schemas = {"ops": ConnectionSchemas.from_json((HERE / "schemas" / "ops.json").read_text())}
    sources, memo = {"trino.sql": (HERE / "trino.sql").read_text()}, Memo()
    first = compile_with_positions(sources, slices, schemas, memo)
    again = compile_with_positions(sources, slices, schemas, Memo(memo.to_bytes()))
    assert again.program == first.program and any(flow.places for flow in again.program.flows.values())


def test_without_snapshots_a_misspelled_function_is_told(slices: Mapping[str, Slice]) -> None:
    text = "CREATE WAREHOUSE far USING remote;CREATE MATERIALIZED VIEW far.v.a EVERY '1 hour' REPLACE AS SELECT lwer('x') AS x;"
    with pytest.raises(ProgramErrors, match="Trino has no function `lwer`"):
        compile_with_positions({"p.sql": text}, slices)


@pytest.mark.parametrize("word", ["lake", "far"])
def test_what_is_published_is_read_in_the_dialect_of_the_warehouse_that_it_reads(word: str, slices: Mapping[str, Slice]) -> None:
    """Also where another one's name stands before it, in a comment."""
    text = f"""CREATE WAREHOUSE lake USING iceberg; CREATE WAREHOUSE far USING remote;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO {word}.ops.t EVERY '1 day' REPLACE AS SELECT id FROM ops.public.t;
INSERT INTO ops.public.out EVERY '1 day' REPLACE AS SELECT /* not lake.x or far.x */ id FROM {word}.ops.t;"""
    found = compile_with_positions({"p.sql": text}, slices).resolved.statements[-1]
    assert found.query is not None and found.query.dialect == {"lake": "duckdb", "far": "trino"}[word]
