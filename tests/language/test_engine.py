"""A warehouse's queries are what DuckDB says they are: what it refuses is refused, with its place; what runs is what was written."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from language import ProgramErrors, compile_with_positions
from language.text.diagnostics import Problem, source_text
from slices.registry import installed
from tests.language.oracle import airline
from tests.language.typed_query import pinned, typed

TABLES = {
    "lake.ops.flights": {
        "id": "long",
        "carrier": "string",
        "dep_delay": "int",
        "distance": "int",
        "fare": "decimal(9,2)",
        "time_hour": "timestamptz",
        "tags": "list<string>",
        "place": "struct<city: string, at: struct<lat: double, lon: double>>",
        "notes": "map<string, long>",
        "_batch": "timestamptz",
        "_deleted": "boolean",
    },
    "lake.ops.planes": {"id": "long", "tailnum": "string", "seats": "int", "_batch": "timestamptz"},
}
COLLECT = Path(__file__).parents[2].joinpath("examples/airline/program.sql").read_text().split("-- Organize")[0]
OWN = ("_batch", "_deleted")
F = "lake.ops.flights"


def _mistakes(query: str) -> list[tuple[str, str, str]]:
    """The words at each mistake's place, its cause and its remedy."""
    try:
        return [(query[p.start : p.end], p.cause, p.remedy) for p in typed(query, TABLES).problems]
    except Problem as problem:
        found = problem.diagnostic
        return [(query[found.column - 1 : found.column - 1 + found.length], found.cause, found.remedy)]


ACCEPTED = {
    f"FROM {F}": None,
    f"WITH a AS (SELECT 1 AS x) SELECT f.id FROM (FROM {F}) AS f": ["long"],
    f"WITH f AS (TABLE {F}) SELECT id FROM f": ["long"],
    f"SELECT id, , carrier FROM {F}": "syntax",
    f"SELECT id FROM {F} WHERE carrier IN ('AA' 'DL')": "syntax",
    f"SELECT id FROM {F} WHERE id BETWEEN 1 2": "syntax",
    f"SELECT FROM {F}": "syntax",
    f"SELECT carrier, last_value(fare IGNORE NULLS) OVER (PARTITION BY carrier ORDER BY time_hour) AS filled FROM {F}": [
        "string",
        "decimal(9,2)",
    ],
    f"SELECT carrier, sum(fare) FILTER (WHERE dep_delay > 0) OVER (PARTITION BY carrier) AS late FROM {F}": [
        "string",
        "decimal(38,2)",
    ],
    f"SELECT carrier, json_group_array(id) AS ids, entropy(distance) AS e FROM {F} GROUP BY carrier": ["string", "string", "double"],
    "WITH t(a, b) AS (VALUES (1, 'x'), (2, 'y')) SELECT a, b FROM t": ["int", "string"],
    f"SELECT f.id, s.c FROM {F} AS f LEFT JOIN LATERAL (SELECT g.carrier AS c FROM {F} AS g WHERE g.id = f.id LIMIT 1) s ON true": [
        "long",
        "string",
    ],
    f"SELECT list_transform(tags, x -> length(x)) AS n FROM {F}": ["list<long>"],
    f"SELECT [length(x) FOR x IN tags] AS n FROM {F}": ["list<long>"],
    f"SELECT array(SELECT carrier FROM {F}) AS all_of_them": ["list<string>"],
    f"SELECT quantile_cont(distance, [0.25, 0.5]) AS q FROM {F}": ["list<double>"],
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT count(*) FROM t WHERE n < 3) SELECT n FROM t": ["int"],
    f"SELECT lead(distance, 1, 0.5) OVER (ORDER BY id) AS next FROM {F}": ["int"],
    f"SELECT COLUMNS('dist.*|fare') FROM {F}": ["int", "decimal(9,2)"],
    f"SELECT * LIKE 'd%' FROM {F}": ["int", "int"],
    f"PIVOT {F} ON carrier IN ('AA', 'DL') USING sum(distance) GROUP BY id": ["long", "decimal(38,0)", "decimal(38,0)"],
    f"SELECT * FROM (SELECT carrier, distance FROM {F}) PIVOT (sum(distance) FOR carrier IN ('AA', 'DL'))": [
        "decimal(38,0)",
        "decimal(38,0)",
    ],
    f"UNPIVOT (SELECT id, dep_delay, distance FROM {F}) ON dep_delay, distance INTO NAME what VALUE n": ["long", "string", "int"],
    f"SELECT f.id, e.key, e.value FROM {F} AS f, json_each(to_json(f.tags)) AS e": ["long", "string", "string"],
    f"SELECT place.city, place.at.lat, notes['a'] AS a FROM {F}": ["string", "double", "long"],
    f"SELECT place, notes, {{'k': id, 'tags': tags}} AS made FROM {F}": [
        "struct<city: string, at: struct<lat: double, lon: double>>",
        "map<string, long>",
        "struct<k: long, tags: list<string>>",
    ],
    f"SELECT MAP {{'a': id}}['a'] AS x, map_keys(notes) AS k FROM {F}": ["long", "list<string>"],
    f"SELECT carrier.upper() AS c FROM {F}": ["string"],
    f"SELECT histogram(carrier) AS h, mad(distance) AS m FROM {F}": ["map<string, decimal(20,0)>", "double"],
    f"SELECT json_keys(to_json(place)) AS k, list_zip(tags, [id])[1][2] AS first FROM {F}": ["list<string>", "long"],
    f"SELECT bit_count(bitstring_agg(distance, 1, 99)) AS n FROM {F}": ["long"],
    f"SELECT carrier, grouping(carrier) AS g, count(*) AS n FROM {F} GROUP BY ROLLUP (carrier)": ["string", "long", "long"],
    f"SELECT regexp_extract(carrier, '(\\w)(\\w)', ['a', 'b']) AS parts FROM {F}": ["struct<a: string, b: string>"],
}


@pytest.mark.parametrize("query", ACCEPTED)
def test_what_duckdb_reads_is_read_and_has_its_types(query: str) -> None:
    expected = ACCEPTED[query]
    mistakes = _mistakes(query)
    if expected == "syntax":
        assert len(mistakes) == 1 and mistakes[0][1].startswith(("this SQL cannot be read", "`"))
    else:
        assert not mistakes
        assert expected is None or [column.type for column in typed(query, TABLES).columns] == expected


REFUSED = {
    f"SELECT * EXCLUDE (carier) FROM {F}": ("carier", "EXCLUDE names `carier`, which is no column behind this *"),
    f"SELECT id FROM {F} WHERE row_number() OVER (ORDER BY id) = 1 AND count(*) > 5": (
        "row_number",
        "WHERE comes before windows are computed",
    ),
    f"SELECT sum(avg(fare)) AS x FROM {F}": ("avg", "an aggregate stands in another one"),
    f"SELECT 1 AS one FROM {F} HAVING distance > 1": ("distance", "`distance` is neither grouped nor aggregated"),
    f"SELECT id FROM {F} WHERE id = (SELECT id, carrier FROM {F})": ("(", "this subquery has 2 columns where one is wanted"),
    f"SELECT id FROM {F} WEHRE x = 1": ("WEHRE", "this SQL cannot be read: `WEHRE` is no word of it"),
    f"WITH latest AS (SELECT id FROM {F}) SELECT id FROM latst": None,
    f"SELECT CAST(id AS INTEGR) AS i FROM {F}": ("INTEGR", "there is no type `INTEGR`"),
    f"SELECT carrier, count(*) AS n FROM {F} GROUP BY 3": None,
    "WITH a AS (SELECT 1 AS x), a AS (SELECT 2 AS x) SELECT x FROM a": ("a", "two tables are called `a` here"),
    f"SELECT f.id, f._batch AS seen, p.seats FROM {F} f NATURAL JOIN lake.ops.planes p": (
        "NATURAL",
        "all columns of `f` are meant here, with `_batch`, since the query names it; each batch changes it",
    ),
    f"SELECT id, rowid AS r FROM {F}": ("rowid", "there is no column `rowid`"),
    f"SELECT rowid AS rowid FROM {F}": ("rowid", "there is no column `rowid`"),
    f"SELECT f.id, f.rowid AS n FROM {F} f JOIN (SELECT 1 AS rowid) b ON true": ("f.rowid", "there is no column `rowid`"),
    f"SELECT id FROM {F} ORDER BY rowid": ("rowid", "there is no column `rowid`"),
    f"SELECT f.id FROM {F} f POSITIONAL JOIN lake.ops.planes": (
        "POSITIONAL",
        "rows of a table have no positions: others would meet each time",
    ),
    f"SELECT reservoir_quantile(distance, 0.5) AS q FROM {F}": (
        "reservoir_quantile",
        "`reservoir_quantile` gives something else each time, so the result is no function of the inputs",
    ),
    f"SELECT id, row_number() OVER (PARTITION BY carrier) AS n FROM {F}": (
        "row_number",
        "`row_number` goes by the order of rows, and OVER gives none, so it is another one each time",
    ),
    f"SELECT id, lag(id) OVER w AS n FROM {F} WINDOW w AS (PARTITION BY carrier)": (
        "lag",
        "`lag` goes by the order of rows, and OVER gives none, so it is another one each time",
    ),
    f"DESCRIBE {F}": None,
    "SELECT * FROM duckdb_settings()": ("duckdb_settings", "`duckdb_settings` reads what no FROM clause names"),
    "SELECT * FROM glob('*')": ("glob", "`glob` reads what no FROM clause names"),
    f"SELECT id FROM {F}; DROP TABLE x": None,
    f"SELECT id FROM {F} WHERE id = ?": None,
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_duckdb_refuses_is_refused_at_its_place(query: str) -> None:
    mistakes = _mistakes(query)
    assert mistakes and all(cause and remedy for _, cause, remedy in mistakes)
    if REFUSED[query] is not None:
        assert (mistakes[0][0], mistakes[0][1]) == REFUSED[query]


def test_a_type_mistake_is_told_beside_a_name_mistake() -> None:
    assert [words for words, _, _ in _mistakes(f"SELECT nosuch, sum(carrier) AS s FROM {F}")] == ["nosuch", "sum(carrier)"]


# -- what depends on the moment, on chance, on the session

IMPURE = (
    *("now()", "current_date", "current_timestamp", "transaction_timestamp()", "today()", "localtime", "localtimestamp"),
    *("random()", "uuid()", "uuidv7()", "gen_random_uuid()", "get_current_time()", "age(time_hour)", "txid_current()"),
    *("current_setting('TimeZone')", "current_user", "user", "current_schema()", "version()", "getvariable('x')"),
)


@pytest.mark.parametrize("expression", IMPURE)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, {} AS x FROM lake.ops.flights",
        "SELECT id FROM lake.ops.flights WHERE ({})::VARCHAR <> 'a'",
        "WITH a AS (SELECT list_transform(tags, t -> t || ({})::VARCHAR) AS n FROM lake.ops.flights) SELECT n FROM a",
        "SELECT carrier FROM lake.ops.flights GROUP BY carrier HAVING max(({})::VARCHAR) > ''",
    ],
)
def test_what_is_no_function_of_the_inputs_is_refused(query: str, expression: str) -> None:
    mistakes = _mistakes(query.format(expression))
    assert mistakes and any("each time" in cause or "today" in cause for _, cause, _ in mistakes), mistakes
    assert any(word in remedy for _, _, remedy in mistakes for word in ("batch_end()", "hash", "the value itself", "row_number()"))


@pytest.mark.parametrize("word", ["user", "rowid"])
def test_a_column_may_have_the_name_of_what_duckdb_knows_by_itself(word: str) -> None:
    found = typed(f"SELECT id, {word}, upper(t.{word}) AS u FROM lake.ops.t AS t", {"lake.ops.t": {"id": "long", word: "string"}})
    assert not found.problems and [column.type for column in found.columns] == ["long", "string", "string"]


def test_every_function_that_duckdb_calls_impure_is_refused() -> None:
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT function_name, parameter_types FROM duckdb_functions() WHERE function_type = 'scalar' "
            "AND stability <> 'CONSISTENT' AND function_name <> 'error'"
        ).fetchall()
    assert len(rows) > 20
    for name, kinds in rows:
        arguments = ", ".join(f"CAST(NULL AS {'VARCHAR' if kind == 'ANY' else kind})" for kind in kinds)
        assert _mistakes(f"SELECT {name}({arguments}) AS x FROM {F}"), name


@pytest.mark.parametrize(
    "query", ["FROM {} TABLESAMPLE 10%", "SELECT id FROM {} USING SAMPLE 5 ROWS", "SELECT 'today'::DATE AS d FROM {}"]
)
def test_chance_and_words_for_the_moment_are_refused(query: str) -> None:
    assert _mistakes(query.format(F))


def test_a_batchs_bounds_are_no_impurity() -> None:
    assert not _mistakes(
        f"SELECT id, batch_end() AS made, age(batch_end(), time_hour)::VARCHAR AS a FROM {F} WHERE time_hour < batch_start()"
    )


# -- reserved words

_WORDS = [
    row[0]
    for row in duckdb.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved' ORDER BY 1"
    ).fetchall()
]


@pytest.mark.parametrize("word", _WORDS)
def test_a_word_of_sql_is_a_columns_name_in_quotes_only(word: str) -> None:
    tables = {"lake.ops.t": {"id": "long", word: "long"}}
    quoted = typed(f'SELECT id, max("{word}") AS last FROM lake.ops.t GROUP BY id', tables)
    assert not quoted.problems and quoted.columns[1].inputs == (("lake.ops.t", word),)
    assert not typed("SELECT * FROM lake.ops.t", tables).problems
    plain = f"SELECT id, max({word}) AS last FROM lake.ops.t GROUP BY id"
    with duckdb.cursor() as connection:
        connection.execute(f'CREATE OR REPLACE TEMP TABLE t (id BIGINT, "{word}" BIGINT)')
        try:
            connection.sql(plain.replace("lake.ops.", ""))
            accepted = True
        except duckdb.Error:
            accepted = False
    try:
        found = [problem.cause for problem in typed(plain, tables).problems]
    except Problem as problem:
        found = [problem.diagnostic.cause]
    assert accepted or found


@pytest.mark.parametrize("word", ["at", "lateral", "asof", "qualify", "positional", "pivot", "end", "desc"])
def test_a_reserved_word_is_told_with_quotes_as_the_remedy(word: str) -> None:
    query = f"SELECT id, max({word}) AS last FROM lake.ops.t GROUP BY id"
    with pytest.raises(Problem) as caught:
        typed(query, {"lake.ops.t": {"id": "long", word: "long"}})
    found = caught.value.diagnostic
    assert query[found.column - 1 : found.column - 1 + found.length] == word and f'"{word}"' in found.remedy


# -- Atoll's own columns, and the text that runs


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT * FROM lake.ops.planes", ["id", "tailnum", "seats"]),
        (
            "SELECT * FROM lake.ops.planes NATURAL JOIN (SELECT id, distance FROM lake.ops.flights)",
            ["id", "tailnum", "seats", "distance"],
        ),
        ("SELECT * FROM lake.ops.planes JOIN lake.ops.planes AS other USING (id)", None),
        ("SELECT *, _batch FROM lake.ops.planes", ["id", "tailnum", "seats", "_batch"]),
        ("SELECT p.* FROM lake.ops.planes AS p WHERE p._batch < batch_end()", ["id", "tailnum", "seats"]),
        ("SELECT * EXCLUDE (seats) FROM lake.ops.planes WHERE _batch < batch_end()", ["id", "tailnum"]),
        ("SELECT * REPLACE (seats + 1 AS seats) FROM lake.ops.planes WHERE _batch < batch_end()", ["id", "tailnum", "seats"]),
        ("WITH a AS (SELECT id, _batch FROM lake.ops.planes) SELECT * FROM a", ["id", "_batch"]),
        ("SELECT * /* but */ EXCLUDE (seats) FROM lake.ops.planes WHERE _batch < batch_end()", ["id", "tailnum"]),
        ("SELECT * EXCLUDE seats FROM lake.ops.planes WHERE _batch < batch_end()", ["id", "tailnum"]),
        ("SELECT p.* EXCLUDE (p._batch) FROM lake.ops.planes p WHERE p._batch < batch_end()", ["id", "tailnum", "seats"]),
        ("SELECT a.*, b._batch AS seen FROM lake.ops.planes a JOIN lake.ops.planes b USING (id)", ["id", "tailnum", "seats", "seen"]),
        ("FROM lake.ops.planes WHERE id IN (SELECT id FROM lake.ops.flights WHERE NOT _deleted)", ["id", "tailnum", "seats"]),
        ("SELECT (SELECT max(_batch) FROM lake.ops.planes) AS seen, * FROM lake.ops.planes", ["seen", "id", "tailnum", "seats"]),
        ("SELECT * RENAME (_batch AS b) FROM lake.ops.planes", ["id", "tailnum", "seats", "b"]),
        ("SELECT * RENAME (_batch AS b), _batch AS c FROM lake.ops.planes", ["id", "tailnum", "seats", "b", "c"]),
        ("SELECT * EXCLUDE (seats) RENAME (_batch AS b) FROM lake.ops.planes", ["id", "tailnum", "b"]),
        ("SELECT * RENAME (id AS seat) FROM lake.ops.planes WHERE _batch < batch_end()", ["seat", "tailnum", "seats"]),
        ("SELECT * REPLACE (date_trunc('day', _batch) AS _batch) FROM lake.ops.planes", ["id", "tailnum", "seats", "_batch"]),
        (
            "SELECT p.* RENAME (_batch AS b), q.* FROM lake.ops.planes p JOIN lake.ops.flights q ON p.id = q.distance",
            None,
        ),
        ("SELECT s.id FROM (SELECT * RENAME (_batch AS b) FROM lake.ops.planes) s", ["id"]),
        ("SELECT id FROM lake.ops.planes x WHERE EXISTS (FROM lake.ops.planes p WHERE p._batch < x._batch)", ["id"]),
        ("SELECT x.* FROM lake.ops.flights x WHERE NOT EXISTS (FROM lake.ops.planes WHERE _batch < batch_end())", None),
    ],
)
def test_a_star_has_no_column_of_atolls_own_unless_it_is_named(query: str, columns: list[str] | None) -> None:
    found = typed(query, TABLES)
    assert (not found.problems and [column.name for column in found.columns] == columns) or columns is None
    if columns is not None:
        assert [name for name, _ in _bound(pinned(query, TABLES))] == columns


def test_a_row_of_a_subquery_has_a_column_of_atolls_own_where_that_names_it_and_once() -> None:
    for inner in ("id, tailnum, seats, _batch", "*, _batch", "* EXCLUDE (_batch), _batch"):
        found = typed(f"SELECT s AS whole FROM (SELECT {inner} FROM lake.ops.planes) s", TABLES)
        assert not found.problems
        assert found.columns[0].type == "struct<id: long, tailnum: string, seats: int, _batch: timestamptz>"


def test_what_is_renamed_is_read_and_comes_from_the_column() -> None:
    (*_, renamed) = typed("SELECT * RENAME (_batch AS b) FROM lake.ops.planes", TABLES).columns
    assert (renamed.name, renamed.inputs) == ("b", (("lake.ops.planes", "_batch"),))


WHOLE = {
    "SELECT 1 AS x WHERE EXISTS (FROM lake.ops.planes p NATURAL JOIN lake.ops.flights WHERE p._batch > batch_end())": "NATURAL",
    "SELECT f.id FROM lake.ops.flights f WHERE f.id IN (SELECT id FROM (FROM lake.ops.planes WHERE _batch > batch_end()))": "SELECT",
    "FROM lake.ops.planes WHERE _batch < batch_end()": "FROM",
    "SELECT COLUMNS(*)::VARCHAR FROM lake.ops.planes WHERE _batch < batch_end()": "COLUMNS",
    "SELECT p AS row FROM lake.ops.planes p WHERE p._batch < batch_end()": "p",
    "SELECT planes.id, r._batch AS b FROM lake.ops.planes, (SELECT planes AS q, _batch FROM lake.ops.planes) r": "planes",
    "PIVOT lake.ops.planes ON _batch IN ('2020-01-01') USING count(*)": "PIVOT",
    "SELECT f.id, f._batch AS b FROM lake.ops.flights f NATURAL JOIN lake.ops.planes p": "NATURAL",
    "SELECT id FROM (FROM lake.ops.flights WHERE NOT _deleted)": "SELECT",  # DuckDB tells no place of this star
}


@pytest.mark.parametrize("query", WHOLE)
def test_where_nothing_can_leave_atolls_own_columns_out_they_are_not_named(query: str) -> None:
    (mistake,) = _mistakes(query)
    assert mistake[0].lower() == WHOLE[query].lower() and mistake[1].startswith("all columns of")
    column = "_deleted" if "_deleted" in query else "_batch"
    assert column in mistake[1] and ("a * that is written leaves it out" in mistake[2] or "USING" in mistake[2])


def test_a_column_that_is_called_as_its_table_is_no_whole_row() -> None:
    assert not _mistakes("SELECT carrier, _batch AS b FROM lake.ops.flights AS carrier")


@pytest.mark.parametrize("inner", [f"FROM {F}", f"SELECT * FROM {F}", f"SELECT f.* FROM {F} AS f"])
def test_a_column_of_atolls_own_does_not_come_through_a_star_that_does_not_name_it(inner: str) -> None:
    assert [(words, cause) for words, cause, _ in _mistakes(f"WITH x AS ({inner}) SELECT x.id, x._deleted AS d FROM x")] == [
        ("x._deleted", "`x` has no column `_deleted`")
    ]


def test_each_name_of_a_table_says_what_becomes_of_marked_rows_where_one_does() -> None:
    query = f"SELECT a.id FROM {F} a JOIN {F} b ON a.id = b.id AND NOT b._deleted"
    ((words, cause, remedy),) = _mistakes(query)
    assert words == F and "marked `_deleted` are read here too" in cause and "NOT _deleted" in remedy
    assert not _mistakes(f"{query} WHERE NOT a._deleted")


OF_OURS = ", _batch TIMESTAMPTZ, _deleted BOOLEAN"


@cache
def _database(flights: str, planes: str) -> duckdb.DuckDBPyConnection:
    """The tables with these columns beside the users'."""
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.ops")
    connection.execute("CREATE MACRO batch_start() AS TIMESTAMPTZ '2020-01-01 00:00+00'")
    connection.execute("CREATE MACRO batch_end() AS TIMESTAMPTZ '2020-01-02 00:00+00'")
    connection.execute(
        "CREATE TABLE lake.ops.flights (id BIGINT, carrier VARCHAR, dep_delay INTEGER, distance INTEGER, fare DECIMAL(9, 2), "
        'time_hour TIMESTAMPTZ, tags VARCHAR[], place STRUCT(city VARCHAR, "at" STRUCT(lat DOUBLE, lon DOUBLE)), '
        f"notes MAP(VARCHAR, BIGINT){flights})"
    )
    connection.execute(f"CREATE TABLE lake.ops.planes (id BIGINT, tailnum VARCHAR, seats INTEGER{planes})")
    return connection


def _described(database: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, str]]:
    """The names and types of a query's columns, by a prepared statement: DESCRIBE reads no PIVOT as it stands."""
    made = database.sql(query)
    return list(zip(made.columns, map(str, made.types), strict=True))


def _bound(query: str, more: bool = False) -> list[tuple[str, str]]:
    added = ", added INTEGER, added_too VARCHAR" if more else ""
    return _described(_database(f"{OF_OURS}{added}", f", _batch TIMESTAMPTZ{added}"), query)


def _as_it_is_meant(query: str) -> list[tuple[str, str]]:
    """The columns of the query as it was written, at tables without Atoll's own: where it names one of these, a value stands."""
    plain = query.replace("f._batch", "TIMESTAMPTZ '2020-01-01 00:00+00' AS _batch").replace("NOT _deleted", "true")
    assert not any(column in plain.replace("AS _batch", "").replace("x._batch", "") for column in OWN)
    return _described(_database("", ""), plain)


_ITEMS = (
    "*",
    "f.*",
    "p.*",
    "f.id",
    "p.seats",
    "* EXCLUDE (id)",
    "f.* REPLACE (upper(carrier) AS carrier)",
    "COLUMNS('d.*')",
    "f._batch",
    "p",
    "{'whole': p, 'of': f.id} AS made",
)
_FROM = (
    f"{F} AS f, lake.ops.planes AS p",
    f"{F} f JOIN lake.ops.planes p USING (id)",
    f"{F} AS f NATURAL JOIN lake.ops.planes AS p",
    f"(FROM {F}) AS f LEFT JOIN (TABLE lake.ops.planes) AS p ON p.id = f.id",
    f"{F} AS f ASOF JOIN LAKE.ops.Planes AS p ON f.id >= p.id",
    f"(SELECT * FROM {F} WHERE NOT _deleted) AS f CROSS JOIN lake.ops.planes AS p",
    f"{F} AS f LEFT JOIN LATERAL (SELECT * FROM lake.ops.planes AS q WHERE q.id = f.id) AS p ON true",
)
_AROUND = {
    "nothing": "SELECT {items} FROM {tables}",
    "DISTINCT": "SELECT DISTINCT {items} FROM {tables}",
    "a CTE": "WITH x AS (SELECT {items} FROM {tables}) SELECT * FROM x",
    "a CTE that is read twice": "WITH x AS (SELECT {items} FROM {tables}), y AS (FROM x) SELECT x.*, y FROM x, y",
    "a CTE with the tables": "WITH g AS (FROM lake.ops.flights), h AS (TABLE lake.ops.planes) SELECT {items} FROM g AS f, h AS p",
    "a subquery": "SELECT * FROM (SELECT {items} FROM {tables}) AS x",
    "a subquery's row": "SELECT x AS made_of_it FROM (SELECT {items} FROM {tables}) AS x",
    "a union": "SELECT {items} FROM {tables} UNION ALL BY NAME SELECT id, seats FROM lake.ops.planes",
    "PIVOT": "PIVOT (SELECT {items}, f.carrier AS which FROM {tables}) ON which IN ('AA', 'DL') USING count(*) AS n",
    "a PIVOT in FROM": "SELECT * FROM (SELECT {items}, f.fare AS g FROM {tables}) PIVOT (max(g) FOR g IN (1, 2))",
    "UNPIVOT": "UNPIVOT (SELECT {items}, f.dep_delay AS a, f.distance AS b FROM {tables}) ON a, b INTO NAME what VALUE n",
}
_OF_ONE_TABLE = (
    f"PIVOT {F} ON carrier IN ('AA', 'DL') USING sum(distance) GROUP BY id",
    f"PIVOT {F} ON carrier IN ('AA', 'DL') USING sum(distance)",
    f"WITH x AS (PIVOT {F} ON carrier IN ('AA', 'DL') USING sum(distance)) SELECT * FROM x",
    f"SELECT * FROM {F} PIVOT (sum(distance) FOR carrier IN ('AA', 'DL'))",
    f"UNPIVOT {F} ON dep_delay, distance INTO NAME what VALUE n",
    f"SELECT u.* FROM {F} UNPIVOT (n FOR what IN (dep_delay, distance)) AS u JOIN lake.ops.planes AS p USING (id)",
    "SELECT (SELECT count(x) FROM (FROM lake.ops.planes) AS x) AS n, p FROM lake.ops.planes AS p",
)


def _runs_as_it_was_written(query: str) -> None:
    """Also when the inputs have got more columns since."""
    found, runs = typed(query, TABLES), pinned(query, TABLES)
    assert _bound(runs) == _bound(runs, more=True) == _as_it_is_meant(query)
    assert [name.lower() for name, _ in _bound(runs)] == [column.name for column in found.columns]


@given(st.lists(st.sampled_from(_ITEMS), min_size=1, max_size=3, unique=True), st.sampled_from(_FROM), st.sampled_from(list(_AROUND)))
def test_the_text_that_runs_binds_to_the_columns_of_the_text_that_was_written(items: list[str], tables: str, around: str) -> None:
    query = _AROUND[around].format(items=", ".join(items), tables=tables)
    try:
        refused = bool(typed(query, TABLES).problems)
    except Problem:
        refused = True
    if not refused:
        _runs_as_it_was_written(query)


@pytest.mark.parametrize("query", [*(_AROUND[a].format(items="p.*, f.fare", tables=_FROM[0]) for a in _AROUND), *_OF_ONE_TABLE])
def test_a_query_of_each_form_is_taken_and_runs_as_it_was_written(query: str) -> None:
    _runs_as_it_was_written(query)


@pytest.mark.parametrize(
    "space", ["\u00a0", "\u2000", "\u2009", " \u200b", "\u200d ", "\u202f", "\u205f", " \u2060", "\u3000", "\ufeff "]
)
def test_a_space_of_another_kind_is_a_space(space: str) -> None:
    """DuckDB counts each as one byte: places behind it would be others, and edits change what they do not mean."""
    plain = "SELECT f.id, 'A B' AS t FROM LAKE.OPS.FLIGHTS f WHERE f.carrier <> 'A B' -- A B\n AND f.nosuch = 1"
    parts = plain.split("'A B'")
    other = f"'A{space}B'".join(part.replace(" ", space) for part in parts).replace(f"A{space}B\n", "A B\n")
    text = source_text("q.sql", other).text
    assert len(text) == len(other) and text.count(f"'A{space}B'") == 2
    assert _mistakes(text) == [("f.nosuch", "`f` has no column `nosuch`", _mistakes(plain)[0][2])]
    right = source_text("q.sql", other.replace("nosuch", "id")).text
    assert f"'A{space}B'" in pinned(right, TABLES)


def test_places_are_right_beside_letters_of_several_bytes() -> None:
    query = f"SELECT 'ÄÖÜ€😀' AS t, nosuch FROM {F}"
    assert [words for words, _, _ in _mistakes(query)] == ["nosuch"]


@pytest.mark.parametrize(
    ("clauses", "query", "said"),
    [
        ("", "SELECT id AS _view_batch FROM lake.ops.flights", "`_view_batch` is a column of organize.iceberg's own"),
        ("PARTITION BY (tags)", "SELECT ['a'] AS tags FROM lake.ops.flights", "a table cannot be partitioned by `tags`"),
        ("PARTITION BY (place)", "SELECT {'a': id} AS place FROM lake.ops.flights", "a table cannot be partitioned by `place`"),
    ],
)
def test_what_the_warehouse_would_refuse_when_a_batch_runs_is_refused_before(clauses: str, query: str, said: str) -> None:
    program = f"{COLLECT}CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE {clauses} AS {query};"
    with pytest.raises(ProgramErrors) as caught:
        compile_with_positions({"p.sql": program}, installed(), airline())
    assert said in caught.value.diagnostics[0].cause


def test_what_only_types_tell_of_a_statement_is_told_all_at_once() -> None:
    clauses = "MERGE ON (nokey) PARTITION BY (nopart) EXPECT e: (nosuch > 1) OR FAIL"
    query = "SELECT *, carrier AS id, 1 AS _view_batch, dep_delay = 'x' AS late, random() AS r FROM lake.ops.flights"
    program = f"{COLLECT}CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' {clauses} AS {query};"
    with pytest.raises(ProgramErrors) as caught:
        compile_with_positions({"p.sql": program}, installed(), airline())
    causes = [d.cause for d in caught.value.diagnostics]
    told = (
        "two columns would be called `id`",
        "_view_batch` is a column of",
        "this text is no",
        "`random`",
        "`nokey`",
    )
    for said in (*told, "`nopart`", "`nosuch`"):
        assert sum(said in cause for cause in causes) == 1, (said, causes)
