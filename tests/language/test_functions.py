"""Functions in SQL: what is inlined means what was written, in each dialect, and each mistake has the place where it was written."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from language import ProgramErrors, compile_with_positions
from language.cache.statements import Memo
from language.forms.resolved import View
from language.sql.dialect import installed as dialects
from language.sql.from_words import named_in, queries_of_with
from language.text.diagnostics import SourceText, Span
from language.text.inlined import inlined
from language.text.tokens import tokenize
from language.translate.statements import Goal, rewritten, with_statements
from shared_metadata.contract.declaration import Slice
from shared_metadata.update_set.compare import compare
from tests.language.oracle import airline

HEAD = """
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights, planes) EVERY '1 hour' REPLACE;
"""
# Each keeps the columns `carrier` and `dep_delay`, so that each can be called on what another gives.
BODIES = {
    "above": ("t TABLE, least DOUBLE", "SELECT * FROM t WHERE dep_delay > least"),
    "greatest": ("t TABLE (carrier, dep_delay)", "SELECT carrier, max(dep_delay) AS dep_delay FROM t GROUP BY carrier"),
    "both": (
        "t TABLE, u TABLE (carrier)",
        "SELECT t.carrier, t.dep_delay FROM t LEFT JOIN u AS x ON x.carrier = t.carrier WHERE x.carrier IS NOT NULL",
    ),
    "listed": ("t TABLE", "WITH q AS (SELECT carrier, dep_delay FROM t) SELECT q.carrier, q.dep_delay FROM q ORDER BY ALL"),
    "shifted": ("t TABLE, by DOUBLE", "SELECT t.carrier, t.dep_delay + by AS dep_delay, 'by' AS how FROM t"),
    "twice": ("t TABLE", "SELECT a.* FROM above(t, 2) a UNION ALL SELECT b.* FROM above(t, 40) b"),
    "known": ("least DOUBLE", "SELECT carrier, dep_delay FROM above(lake.ops.flights, least)"),
}
TABLE = "lake.ops.flights"


def _function(name: str) -> str:
    parameters, body = BODIES[name]
    return f"CREATE FUNCTION {name} ({parameters}) RETURNS TABLE USING sql AS\n{body};\n"


FUNCTIONS = "".join(map(_function, BODIES))


def _view(query: str, name: str = "lake.v.made") -> str:
    return f"CREATE MATERIALIZED VIEW {name} EVERY '1 hour' REPLACE AS\n{query};\n"


class _Calls:
    """Random calls, and the same by hand: a table is a query of WITH, a value a constant in its place."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._number = chance, 0

    def table(self, depth: int) -> tuple[str, str]:
        if depth == 0 or self._chance.random() < 0.2:
            return self._chance.choice([(TABLE, TABLE), (f"(SELECT * FROM {TABLE})",) * 2])
        name = self._chance.choice(list(BODIES))
        arguments = []
        for parameter in re.findall(r"(\w+) (TABLE|DOUBLE)", BODIES[name][0]):
            value = str(self._chance.choice(["3", "0.5", "-1", "1 + 1", "2.5e0"]))
            arguments.append(self.table(depth - 1) if parameter[1] == "TABLE" else (value, f"CAST({value} AS DOUBLE)"))
        return f"{name}({', '.join(called for called, _ in arguments)})", self._by_hand(name, [by_hand for _, by_hand in arguments])

    def _by_hand(self, name: str, arguments: list[str]) -> str:
        parameters, text = BODIES[name]
        self._number += 1
        queries = []
        for (parameter, kind, columns), argument in zip(
            re.findall(r"(\w+) (TABLE|DOUBLE)(?: \(([\w, ]+)\))?", parameters), arguments, strict=True
        ):
            if kind == "DOUBLE":
                text = re.sub(rf"(?<!')\b{parameter}\b", argument, text)
                continue
            own = f"{parameter}_{self._number}"
            text = re.sub(rf"\b{parameter}\b(?!')", own, text)
            queries.append(f"{own} AS (SELECT {columns or '*'} FROM {argument} AS given)")
        while call := re.search(r"above\(([\w.]+), ([\w.()+ -]+?)\)(?= [ab]\b|$)", text):
            text = text.replace(call[0], self._by_hand("above", [call[1], f"CAST({call[2]} AS DOUBLE)"]), 1)
        return f"(WITH {', '.join(queries)} SELECT * FROM ({text}))" if queries else f"({text})"


def _columns(text: str, slices: Mapping[str, Slice]) -> tuple[Any, str]:
    """Each column of the view with its type and origins, and the query that runs."""
    found = compile_with_positions({"p.sql": HEAD + text}, slices, airline())
    assert found.lineage is not None
    made = found.lineage.datasets["lake.v.made"]
    return [(c.name, c.type, c.inputs) for c in made.columns], found.program.flows["lake.v.made"].query


@cache
def _lake() -> duckdb.DuckDBPyConnection:
    lake = duckdb.connect()
    lake.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.ops")
    schema = airline()["ops"].tables["public.flights"]
    assert schema is not None
    made = ", ".join(
        {"carrier": "chr((65 + i % 4)::INTEGER)", "dep_delay": "i % 61 - 5"}.get(c.name, "NULL") + f" AS {c.name}"
        for c in schema.columns
    )
    lake.execute(f"CREATE TABLE lake.ops.flights AS SELECT {made}, NULL AS _batch FROM (SELECT unnest(range(200)) AS i)")
    return lake


@settings(max_examples=80, deadline=None)
@given(chance=st.randoms(use_true_random=False))
def test_what_is_inlined_is_what_is_written_by_hand(chance: random.Random, slices: Mapping[str, Slice]) -> None:
    called, by_hand = _Calls(chance).table(3)
    columns, query = _columns(FUNCTIONS + _view(f"SELECT x.carrier, x.dep_delay FROM {called} AS x"), slices)
    wanted, other = _columns(_view(f"SELECT x.carrier, x.dep_delay FROM {by_hand} AS x"), slices)
    assert columns == wanted, f"{called}\n{by_hand}"
    assert sorted(_lake().execute(query).fetchall(), key=repr) == sorted(_lake().execute(other).fetchall(), key=repr), query


def test_a_value_stands_in_a_list_that_joins(slices: Mapping[str, Slice]) -> None:
    body = "SELECT t.id FROM lake.ops.flights t JOIN lake.ops.flights u ON t.id IN [u.id, most]"
    text = f"CREATE FUNCTION f (most INTEGER) RETURNS TABLE USING sql AS {body};\n" + _view("SELECT f.id FROM f(3)")
    assert _columns(text, slices)[1].endswith("ON t.id IN [u.id, 3]) AS f")


MACROS = [
    ("top (most INTEGER)", "SELECT carrier FROM lake.ops.flights ORDER BY ALL LIMIT most", ["3", "1 + 1"]),
    ("named (word VARCHAR)", "SELECT word AS said, carrier || word AS both FROM lake.ops.flights", ["'x'", "'it''s' || '!'", "NULL"]),
    (
        "above (least DOUBLE, word VARCHAR)",
        "SELECT dep_delay / least AS part, 'least' AS a FROM lake.ops.flights",
        ["3, 'a'", "0.5, 'b'"],
    ),
    ("dated (day DATE)", "SELECT day + 1 AS next, carrier FROM lake.ops.flights t WHERE t.carrier <> 'day'", ["DATE '2026-01-01'"]),
]


@pytest.mark.parametrize(("head", "body", "values"), MACROS, ids=lambda each: each if isinstance(each, str) else "")
def test_a_value_means_what_it_means_to_a_macro_of_the_engine(
    head: str, body: str, values: list[str], slices: Mapping[str, Slice]
) -> None:
    """DuckDB has macros of its own, whose parameters have no types."""
    name, typed = head.split(" (")[0], re.findall(r"(\w+) ([A-Z]+)", head)
    _lake().execute(f"CREATE OR REPLACE MACRO {name}({', '.join(parameter for parameter, _ in typed)}) AS TABLE {body}")
    for value in values:
        text = f"CREATE FUNCTION {head} RETURNS TABLE USING sql AS {body};\n" + _view(f"SELECT * FROM {name}({value})")
        _, query = _columns(text, slices)
        parts = [f"CAST({part} AS {kind})" for part, (_, kind) in zip(value.split(", "), typed, strict=True)]
        macro = _lake().execute(f"SELECT * FROM {name}({', '.join(parts)})").fetchall()
        assert sorted(_lake().execute(query).fetchall(), key=repr) == sorted(macro, key=repr)


WAREHOUSES = [name for name in dialects() if name not in ("postgres", "mysql", "oracle", "soql", "filescan")]


@pytest.mark.parametrize("name", WAREHOUSES)
def test_each_warehouse_binds_it_to_the_same_columns(name: str, slices: Mapping[str, Slice]) -> None:
    from dataclasses import replace

    own = slices["organize.iceberg"]
    able = {**slices, "organize.iceberg": replace(own, capabilities=replace(own.capabilities, dialect=name))}
    body = "SELECT carrier, count(*) AS n, word AS said FROM t WHERE dep_delay > least GROUP BY carrier"
    function = (
        f"CREATE FUNCTION f (t TABLE (carrier, dep_delay), least DECIMAL(5, 1), word VARCHAR(9)) RETURNS TABLE USING sql AS {body};\n"
    )
    called, _ = _columns(function + _view(f"SELECT f.carrier, f.n, f.said FROM f({TABLE}, 1.5, 'x')"), able)
    written = body.replace("word", "'x'").replace("least", "CAST(1.5 AS DECIMAL(5, 1))")
    written = written.replace("FROM t", f"FROM (SELECT carrier, dep_delay FROM {TABLE}) AS t")
    by_hand, _ = _columns(_view(f"SELECT f.carrier, f.n, f.said FROM ({written}) AS f"), able)
    assert called == by_hand and [column[0] for column in called] == ["carrier", "n", "said"]


def test_a_changed_function_changes_each_view_that_comes_to_it(slices: Mapping[str, Slice]) -> None:
    views = _view("SELECT * FROM twice(lake.ops.flights)", "lake.v.a") + _view("SELECT * FROM known(3)", "lake.v.b")
    views += _view("SELECT * FROM greatest(lake.ops.flights)", "lake.v.c") + _view("SELECT a.carrier FROM lake.v.c a", "lake.v.d")

    def changed(old: str, new: str) -> list[str]:
        before, after = (
            compile_with_positions({"p.sql": HEAD + text + views}, slices, airline())
            for text in (FUNCTIONS, FUNCTIONS.replace(old, new))
        )
        found = compare(before.program, before.lineage, after.program, after.lineage)
        return [change.statement for change in found.changed]

    assert changed("dep_delay > least", "dep_delay >= least") == ["lake.v.a", "lake.v.b"]
    assert changed("max(dep_delay)", "min(dep_delay)") == ["lake.v.c"]
    assert changed("RETURNS TABLE USING sql AS\nSELECT * FROM t", "RETURNS TABLE USING sql AS\n\n\nSELECT * FROM t") == []


def _errors(text: str, slices: Mapping[str, Slice]) -> ProgramErrors:
    with pytest.raises(ProgramErrors) as caught:
        compile_with_positions({"p.sql": HEAD + text}, slices, airline())
    return caught.value


def test_a_mistake_in_a_function_is_told_once_with_its_calls(slices: Mapping[str, Slice]) -> None:
    views = "".join(_view("SELECT * FROM known(3)", f"lake.v.n{number}") for number in range(6))
    errors = _errors(FUNCTIONS.replace("WHERE dep_delay", "WHERE dep_dely") + views, slices)
    (found,) = errors.diagnostics
    text = HEAD + FUNCTIONS.replace("WHERE dep_delay", "WHERE dep_dely") + views
    assert text.split("\n")[found.line - 1][found.column - 1 :].startswith("dep_dely") and found.length == len("dep_dely")
    assert len(found.called) == 6 and "called at" in str(errors) and " and 3 more" in str(errors)
    assert len(errors.to_dict()["errors"][0]["called"]) == 6


def test_a_mistake_in_an_argument_stands_at_the_call(slices: Mapping[str, Slice]) -> None:
    text = FUNCTIONS + _view("SELECT * FROM twice((SELECT carrier, dep_delay, dep_dely AS x FROM lake.ops.flights))")
    for found in _errors(text, slices).diagnostics:
        assert (HEAD + text).split("\n")[found.line - 1][found.column - 1 :].startswith("dep_dely") and not found.called


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ("SELECT f.carrier AS c FROM lake.ops.planes", "SELECT x.c FROM lake.ops.flights f, {} x"),
        ("SELECT carrier AS c FROM lake.ops.planes", "SELECT x.c FROM lake.ops.flights f CROSS JOIN {} x"),
        ("SELECT f.carrier AS c FROM lake.ops.planes", "SELECT (SELECT max(x.c) FROM {} x) AS c FROM lake.ops.flights f"),
        ("SELECT p.tailnum AS c FROM leaky_too() p", "SELECT x.c FROM lake.ops.flights f, {} x"),
    ],
)
def test_a_function_names_nothing_of_what_stands_beside_its_call(body: str, query: str, slices: Mapping[str, Slice]) -> None:
    """DuckDB lets a query in FROM name the tables before it."""
    inner = "SELECT dest AS tailnum FROM lake.ops.planes" if "leaky_too" in body else "SELECT tailnum FROM lake.ops.planes"
    text = f"CREATE FUNCTION leaky_too () RETURNS TABLE USING sql AS {inner};\n"
    text += f"CREATE FUNCTION leaky () RETURNS TABLE USING sql AS {body};\n" + _view(query.format("leaky()"))
    for found in _errors(text, slices).diagnostics:
        assert found.source_line.startswith("CREATE FUNCTION leaky") and found.called, found


WITHIN = "SELECT carrier, t.c FROM lake.ops.flights AS a, (SELECT t.c FROM t) t"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("SELECT x.c FROM lake.ops.planes AS a, g((SELECT a.carrier AS c)) AS x", "a.carrier"),
        ("SELECT (SELECT max(x.c) FROM g((SELECT a.carrier AS c)) x) c FROM lake.ops.planes a", "a.carrier"),
        ("SELECT x.c FROM g((SELECT carrier AS c FROM lake.ops.planes AS p)) AS x", "carrier"),
        ("WITH p AS (SELECT 1 AS q) SELECT x.c FROM g((SELECT carrier AS c FROM p)) AS x", "carrier"),
        ("SELECT x.c FROM g((SELECT c FROM g((SELECT carrier AS c FROM lake.ops.planes)))) x", "carrier"),
    ],
)
def test_what_a_function_is_given_names_nothing_of_what_stands_within_it(query: str, place: str, slices: Mapping[str, Slice]) -> None:
    """`carrier` is a column of flights alone."""
    text = f"CREATE FUNCTION g (t TABLE (c)) RETURNS TABLE USING sql AS {WITHIN};\n" + _view(query)
    for found in _errors(text, slices).diagnostics:
        assert found.source_line[found.column - 1 :].startswith((place, "a.carrier")) and not found.called, found


@pytest.mark.parametrize(
    "query",
    [
        "WITH p (q) AS (SELECT tailnum FROM lake.ops.planes) SELECT x.c FROM g((SELECT q AS c FROM p)) AS x",
        "WITH p AS (SELECT 1 AS q), r AS (SELECT q AS c FROM p) SELECT x.c FROM g(r) AS x, g((FROM r)) AS y",
        "WITH p AS (SELECT 1 AS c) SELECT x.c FROM (WITH p AS (SELECT 'a' AS d) SELECT g.c FROM g((SELECT d AS c FROM p))) x",
        "WITH RECURSIVE p (c) AS (SELECT 1 UNION ALL SELECT c + 1 FROM g((SELECT c FROM p)) WHERE c < 3) SELECT c FROM g((FROM p))",
        "SELECT x.c FROM g(((SELECT tailnum AS c FROM lake.ops.planes))) x, g((SELECT c FROM g((SELECT 1 AS c)))) y",
    ],
)
def test_what_a_function_is_given_names_queries_of_with(query: str, slices: Mapping[str, Slice]) -> None:
    columns, _ = _columns("CREATE FUNCTION g (t TABLE (c)) RETURNS TABLE USING sql AS SELECT t.c FROM t;\n" + _view(query), slices)
    assert [column[0] for column in columns] == ["c"]


def test_a_query_of_with_that_means_nothing_by_itself_is_given_to_no_function(slices: Mapping[str, Slice]) -> None:
    """What it names may be another thing within the function."""
    text = "CREATE FUNCTION g (t TABLE (c)) RETURNS TABLE USING sql AS SELECT t.c FROM t;\n" + _view(
        "SELECT (WITH p AS (SELECT f.carrier AS c) SELECT max(x.c) FROM g((SELECT c FROM p)) x) AS c FROM lake.ops.flights f"
    )
    (found,) = _errors(text, slices).diagnostics
    assert "means nothing by itself" in found.cause and found.source_line[found.column - 1 :].startswith("p AS (SELECT f.carrier")


ONE = "WITH x AS (SELECT 99 AS c) SELECT t.c AS a, x.c AS b FROM t, x"


@pytest.mark.parametrize("argument", ["(TABLE x)", "(WITH y AS (TABLE x) FROM y)", "(PIVOT x ON c IN (1) USING max(c))", "(FROM x)"])
def test_a_query_of_with_is_named_by_table_and_pivot_too(argument: str, slices: Mapping[str, Slice]) -> None:
    text = f"CREATE FUNCTION g (t TABLE) RETURNS TABLE USING sql AS {ONE};\n"
    (found,) = _errors(text + _view(f"WITH x AS (SELECT 1 AS c) SELECT 1 AS one FROM g({argument})"), slices).diagnostics
    assert "`x` is a query of WITH here, and another one within `g`" in found.cause


@pytest.mark.parametrize(
    "body",
    [
        "WITH z AS (TABLE t) SELECT id FROM z",
        "TABLE t",
        "SELECT id FROM (TABLE t UNION ALL TABLE t)",
        "SELECT id FROM (UNPIVOT t ON c INTO NAME n VALUE v)",
    ],
)
def test_a_table_parameter_is_named_by_table_and_pivot_too(body: str, slices: Mapping[str, Slice]) -> None:
    """The caller has a query of WITH of the parameter's name."""
    text = f"CREATE FUNCTION g (t TABLE) RETURNS TABLE USING sql AS {body};\n"
    _, query = _columns(text + _view("WITH t AS (SELECT 9 AS id, 1 AS c) SELECT g.id FROM g((SELECT 7 AS id, 1 AS c)) AS g"), slices)
    assert {*_lake().execute(query).fetchall()} == {(7,)}


def test_functions_that_grow_beyond_reason_are_refused(slices: Mapping[str, Slice]) -> None:
    doubling = "CREATE FUNCTION f0 () RETURNS TABLE USING sql AS SELECT 1 AS one;\n" + "".join(
        f"CREATE FUNCTION f{n} () RETURNS TABLE USING sql AS SELECT a.one FROM f{n - 1}() a, f{n - 1}() b;\n" for n in range(1, 40)
    )
    errors = _errors(doubling + _view("SELECT one FROM f39()"), slices)
    assert all("calls of functions" in found.cause for found in errors.diagnostics)


def test_a_memo_gives_what_none_gives(slices: Mapping[str, Slice]) -> None:
    views = _view("SELECT * FROM twice(lake.ops.flights)", "lake.v.a") + _view("SELECT carrier FROM lake.v.a", "lake.v.b")
    views += _view("SELECT * FROM range(3)", "lake.v.c")
    texts = [
        FUNCTIONS + views,
        FUNCTIONS.replace("dep_delay > least", "dep_delay >= least") + views,
        "-- moved\n\n" + FUNCTIONS + views,
        FUNCTIONS + "CREATE FUNCTION range (n INTEGER) RETURNS TABLE USING sql AS SELECT n AS range;\n" + views,
        FUNCTIONS + views,
        FUNCTIONS.replace("SELECT *", "SELECT 1 AS one, *", 1) + views,
    ]
    kept = b""
    for text in texts:
        memo = Memo(kept)
        with_memo = compile_with_positions({"p.sql": HEAD + text}, slices, airline(), memo)
        without = compile_with_positions({"p.sql": HEAD + text}, slices, airline())
        assert with_memo.program == without.program and with_memo.lineage == without.lineage
        kept = memo.to_bytes()


def test_positions_of_a_plan_are_where_the_text_was_written(slices: Mapping[str, Slice]) -> None:
    files = {"f.sql": FUNCTIONS, "p.sql": HEAD + _view("SELECT x.carrier, x.how FROM shifted(lake.ops.flights, 3) AS x")}
    found = compile_with_positions(files, slices, airline())
    assert found.lineage is not None
    for use in found.lineage.datasets["lake.v.made"].uses:
        line = files[use.position.file].split("\n")[use.position.line - 1]
        assert line[use.position.column - 1 :].split(" ")[0].strip(",;()").rpartition(".")[2] in ("carrier", "dep_delay", "flights")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT a, f(b) FROM t, u AS v, LATERAL w JOIN (x CROSS JOIN y) ON g(a, b) = 1, z WHERE a IN (SELECT c FROM q)", "tuvwxyzq"),
        ("SELECT extract(year FROM a), trim(BOTH ' ' FROM b) FROM t WHERE a IS DISTINCT FROM b AND b IS NOT DISTINCT FROM a", "t"),
        ("WITH a (x) AS (SELECT 1 FROM t) SELECT * FROM unnest(b) WITH ORDINALITY AS c (d, e), u ORDER BY f, g", "tu"),
        ("FROM t SELECT a, b UNION ALL SELECT c, d FROM u", "tu"),
        ("SELECT a FROM t JOIN u ON a IN [x, y] AND b = {'k': x, 'z': y}, w WHERE substr(a FROM z) = [x, y][q]", "tuw"),
        ("SELECT a FROM t JOIN unnest([x, (SELECT y FROM u)]) AS v ON v = {'k': (SELECT z FROM w)}, q", "tuwq"),
        ("WITH a AS (TABLE t), b AS MATERIALIZED (PIVOT u ON x IN (1, y) USING sum(z)) UNPIVOT w ON a, b INTO NAME c VALUE d", "tuw"),
        ("TABLE t UNION ALL TABLE u EXCEPT DISTINCT TABLE w", "tuw"),
        ("SELECT pivot, f(pivot, x) FROM (TABLE t) AS a PIVOT (sum(x) FOR y IN (1, 2)) AS q, u", "tu"),
        ("SELECT a.b FROM (SELECT 1 FROM t) UNPIVOT INCLUDE NULLS (x FOR y IN (z, w)) JOIN LATERAL u ON true", "tu"),
        ("SELECT * FROM (VALUES (a, b)) AS v (x, y), (WITH q AS (SELECT 1) SELECT 1 FROM t) w, u", "tu"),
    ],
)
def test_tables_are_told_by_tokens(sql: str, tables: str) -> None:
    source = SourceText("q.sql", sql)
    found = [named.parts[0] for named in named_in([*tokenize(source)]) if named.in_from and not named.call]
    assert "".join(name for name in found if name in "tuvwxyzq") == tables.replace("v", "") and "v" not in found


@pytest.mark.parametrize(
    "body",
    [
        "SELECT carrier, dest FROM lake.ops.flights ORDER BY {} DESC",
        "SELECT carrier, count(*) AS n FROM lake.ops.flights GROUP BY carrier, {}",
        "SELECT carrier, sum(id) OVER (PARTITION BY {} ORDER BY id) AS n FROM lake.ops.flights",
        "SELECT carrier FROM (SELECT carrier FROM lake.ops.flights ORDER BY 1, {})",
        "SELECT carrier, dest FROM lake.ops.flights ORDER BY (({})) DESC",
        "SELECT carrier FROM lake.ops.flights GROUP BY carrier, ({})",
        "SELECT carrier FROM lake.ops.flights GROUP BY ROLLUP (carrier, {})",
        "SELECT carrier FROM lake.ops.flights GROUP BY carrier, CUBE ({})",
        "SELECT carrier FROM lake.ops.flights GROUP BY GROUPING SETS ((carrier), (carrier, {}))",
        "SELECT DISTINCT ON ({}) carrier FROM lake.ops.flights",
    ],
)
def test_rows_are_not_ordered_by_a_value_which_would_be_the_number_of_a_column(body: str, slices: Mapping[str, Slice]) -> None:
    def program(item: str) -> str:
        return f"CREATE FUNCTION f (most INTEGER) RETURNS TABLE USING sql AS\n{body.format(item)};\n" + _view(
            "SELECT carrier FROM f(2)"
        )

    (found,) = _errors(program("most"), slices).diagnostics
    assert "by which rows are neither ordered nor grouped" in found.cause and found.length == len("most")
    for item in ("flights.id", "id + most", "coalesce(id, most)", "(id % most)", "(id) + (most)", "[1, id, (most)][2]"):
        _columns(program(item), slices)


def test_what_is_written_over_to_another_engine_has_its_calls_written_out(slices: Mapping[str, Slice]) -> None:
    text = HEAD + "-- é\n" + FUNCTIONS + _view("SELECT carrier, dep_delay FROM above(lake.ops.flights, 3)") + "-- the end\n"
    found = compile_with_positions({"p.sql": text}, slices, airline())
    assert found.lineage is not None
    views = (statement for statement in found.resolved.statements if isinstance(statement, View))
    over = tuple(rewritten(view, Goal("presto", "trino"), found.lineage) for view in views)
    assert not any(one.problems for one in over)
    written = with_statements({"p.sql": text}, over)["p.sql"]
    assert written.startswith(HEAD + "-- é\n" + FUNCTIONS) and written.endswith(";\n-- the end\n")
    again = compile_with_positions({"p.sql": written}, slices, airline())
    assert again.program.flows["lake.v.made"].slice_id == "organize.presto" and again.lineage is not None
    one, other = (lineage.datasets["lake.v.made"].columns for lineage in (found.lineage, again.lineage))
    assert [(c.name, c.type, c.inputs) for c in one] == [(c.name, c.type, c.inputs) for c in other]


def test_queries_of_with_are_told_by_tokens() -> None:
    sql = (
        "WITH a AS (SELECT 1 AS x), b (y) AS MATERIALIZED (WITH c AS NOT MATERIALIZED ((SELECT 2)) FROM c)"
        " SELECT cast(a AS int) AS d FROM b WINDOW w AS (ORDER BY y)"
    )
    assert [token.text for token in queries_of_with([*tokenize(SourceText("q.sql", sql))])] == ["a", "b", "c"]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_each_character_of_an_inlined_text_knows_where_it_was_written(data: st.DataObject) -> None:
    """Texts are put into texts at random; of each character the place that it tells holds that character."""
    letters = st.text(st.sampled_from("abc\n"), min_size=1, max_size=12)

    def made(depth: int) -> Any:
        source = SourceText(f"{depth}.sql", data.draw(letters))
        span = Span(source, 0, len(source.text))
        at, edits = 0, []
        while depth and at < len(source.text) and data.draw(st.booleans()):
            start = data.draw(st.integers(at, len(source.text) - 1))
            end = data.draw(st.integers(start, len(source.text)))
            edits.append((Span(source, start, end), ("(", made(depth - 1), ")")))
            at = end + 1
        return inlined(span, edits)

    found = made(2)
    for offset, character in enumerate(found.text):
        (source, start, end), _ = found.written(offset, offset + 1)
        assert character in "()" or source.text[start:end] == character
    (source, start, end), _ = found.written(0, len(found.text))
    assert (start, end) == (0, len(source.text)) or found.parts


def test_an_engine_says_what_it_has_against_an_inlined_query(slices: Mapping[str, Slice]) -> None:
    """A function's query that no engine reads is refused where it stands."""
    text = FUNCTIONS.replace("SELECT * FROM t WHERE", "SELECT * FRM t WHERE") + _view("SELECT * FROM above(lake.ops.flights, 1)")
    (found, *_) = _errors(text, slices).diagnostics
    assert found.source_line.startswith("SELECT * FRM t WHERE") and found.called


CODED = "CREATE FUNCTION risk (carrier VARCHAR, dep_delay DOUBLE) RETURNS TABLE (carrier VARCHAR, risk {}) USING python{};\n"


def test_a_function_in_code_that_changes_changes_the_rows_of_what_calls_it(slices: Mapping[str, Slice]) -> None:
    view = _view("SELECT carrier FROM risk(lake.ops.flights)")
    kept = b""

    def compiled(head: str) -> Any:
        nonlocal kept
        memo, text = Memo(kept), {"p.sql": HEAD + head + view}
        found, without = compile_with_positions(text, slices, airline(), memo), compile_with_positions(text, slices, airline())
        assert found.program == without.program and found.lineage == without.lineage
        kept = memo.to_bytes()
        return found

    before = compiled(CODED.format("DOUBLE", ""))
    for head, changes in ((CODED.format("INTEGER", ""), True), (CODED.format("DOUBLE", " WITH (memory_mb = 512)"), True)):
        after = compiled(head)
        found = compare(before.program, before.lineage, after.program, after.lineage)
        assert (found.other_rows == ("lake.v.made",)) is changes
    after = compiled("\n-- moved\n" + CODED.format("DOUBLE", ""))
    assert compare(before.program, before.lineage, after.program, after.lineage).changed == ()


def test_what_calls_code_is_written_over_for_no_other_engine(slices: Mapping[str, Slice]) -> None:
    text = CODED.format("DOUBLE", "") + _view("SELECT carrier FROM risk(lake.ops.flights)")
    found = compile_with_positions({"p.sql": HEAD + text}, slices, airline())
    assert found.lineage is not None
    (view,) = (statement for statement in found.resolved.statements if isinstance(statement, View))
    (problem,) = rewritten(view, Goal("presto", "trino"), found.lineage).problems
    assert problem.cause == "this calls `risk`, which is written in python and runs where it is"
