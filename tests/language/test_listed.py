"""Dialects that are typed by lists: types by the engine's own rules, mistakes at their places, and nothing guessed.

A module of tests/language/listed/ has the name of each, and says: TABLES; a SELECT's items and what they give, of one row (GIVES) and
of many (OVER_ROWS); items and queries that are refused, and why (WRONG, REFUSED); what is no query (NO_QUERY); what is taken (TAKEN);
types of a schema beside those of TABLES that the engine has (KINDS).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from language.sql.dialect import FOLDER
from language.sql.listed.rules import Rules
from language.sql.listed.signatures import Argument, Lambda
from language.text.diagnostics import Problem
from shared_metadata.program.type_names import TypeName
from tests.language.typed_query import pinned, typed

DECLARED = {file.parent.name for file in FOLDER.glob("*/rules.py")}
CASES: Mapping[str, ModuleType] = {
    file.stem: import_module(f"tests.language.listed.{file.stem}") for file in sorted(Path(__file__).with_name("listed").glob("*.py"))
}
# Of every engine.
REFUSED = {
    "SELECT carrier, max(id) AS m FROM far.ops.flights": "neither in GROUP BY nor within an aggregate",
    "SELECT carrier FROM far.ops.flights WHERE count(*) > 1": "WHERE is read before rows are grouped",
    "SELECT carrier FROM far.ops.flights f JOIN far.ops.airlines a ON f.carrier = a.carrier": "is ambiguous",
    "SELECT * FROM far.ops.flights CROSS JOIN far.ops.airlines": "two columns would be called `carrier`",
    "SELECT id FROM far.ops.flights UNION ALL SELECT name FROM far.ops.airlines": "on one side and",
    "SELECT f.carrier FROM far.ops.flights f JOIN far.ops.airlines a USING (carrier)": "USING makes `carrier` one column",
    "SELECT carrier, sum(n) OVER () AS s, max(n) AS m FROM far.ops.flights": "neither in GROUP BY",
    # aggregates and windows where there are none
    "SELECT sum(count(*)) AS x FROM far.ops.flights": "an aggregate stands within another one",
    "SELECT sum(rank() OVER (ORDER BY id)) AS x FROM far.ops.flights": "a window stands within an aggregate",
    "SELECT sum(n) OVER (ORDER BY sum(n) OVER ()) AS x FROM far.ops.flights": "a window stands within another one",
    "SELECT id FROM far.ops.flights WHERE row_number() OVER (ORDER BY id) = 1": "WHERE is read before windows are",
    "SELECT id FROM far.ops.flights GROUP BY id HAVING rank() OVER (ORDER BY id) = 1": "HAVING is read before windows are",
    "SELECT f.id FROM far.ops.flights f JOIN far.ops.airlines a ON max(f.carrier) = a.carrier": "rows are joined before",
    "SELECT id FROM far.ops.flights GROUP BY id, sum(n)": "rows are grouped before they are aggregated",
    "SELECT carrier, count(*) AS c FROM far.ops.flights GROUP BY 2": "rows are grouped before they are aggregated",
    "SELECT carrier, rank() OVER (ORDER BY id) AS c FROM far.ops.flights GROUP BY 2": "rows are grouped before windows",
    "SELECT row_number() AS x FROM far.ops.flights": "is one of a window",
    "SELECT upper(carrier) OVER () AS x FROM far.ops.flights": "gives one value of each row",
    "SELECT upper(carrier) FILTER (WHERE ok) AS x FROM far.ops.flights": "gives one value of each row",
    "SELECT upper(DISTINCT carrier) AS x FROM far.ops.flights": "DISTINCT stands in an aggregate alone",
    "SELECT sum(DISTINCT n) OVER () AS x FROM far.ops.flights": "DISTINCT stands in an aggregate alone",
    "SELECT sum(n) FILTER (WHERE ok) OVER () AS x FROM far.ops.flights": "FILTER does not stand before OVER",
    "SELECT sum(n) IGNORE NULLS AS x FROM far.ops.flights": "`sum` has no IGNORE NULLS",
    "SELECT lag(n) OVER (PARTITION BY carrier) AS x FROM far.ops.flights": "`lag` is read by an order",
    "SELECT sum(n) OVER w AS x FROM far.ops.flights": "no window is called `w`",
    "SELECT sum(n) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) AS x FROM far.ops.flights": "ends before it begins",
    "SELECT sum(n) OVER (ORDER BY carrier RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM far.ops.flights": "goes by one key",
    "SELECT sum(n) OVER (ORDER BY id ROWS BETWEEN n PRECEDING AND CURRENT ROW) AS x FROM far.ops.flights": "is written out",
    # GROUP BY, HAVING, ORDER BY, DISTINCT, LIMIT
    "SELECT * FROM far.ops.airlines GROUP BY carrier": "`name` is neither in GROUP BY",
    "SELECT extract(year FROM carrier) AS x FROM far.ops.flights": "is no moment",
    "SELECT carrier FROM far.ops.flights GROUP BY 5": "GROUP BY 5 names no column: there are 1",
    "SELECT carrier, count(*) AS c FROM far.ops.flights GROUP BY carrier HAVING id > 1": "`id` is neither in GROUP BY",
    "SELECT carrier, count(*) AS c FROM far.ops.flights GROUP BY carrier ORDER BY id": "`id` is neither in GROUP BY",
    "SELECT max(n) AS c FROM far.ops.flights ORDER BY id": "`id` is neither in GROUP BY",
    "SELECT 1 AS x FROM far.ops.flights HAVING id > 1": "`id` is neither in GROUP BY",
    "SELECT id FROM far.ops.flights ORDER BY 3": "ORDER BY 3 names no column: there are 1",
    "SELECT DISTINCT carrier FROM far.ops.flights ORDER BY id": "only what is selected has an order",
    "SELECT id FROM far.ops.flights LIMIT n": "LIMIT takes a number that is written out",
    # queries together, and within
    "SELECT id, n FROM far.ops.flights UNION SELECT id FROM far.ops.flights": "one side has 2 columns, the other 1",
    "SELECT id FROM far.ops.flights UNION SELECT n FROM far.ops.flights ORDER BY n": "there is no column `n`",
    "SELECT id FROM far.ops.flights WHERE id IN (SELECT id, n FROM far.ops.flights)": "2 columns where one value is wanted",
    "SELECT (SELECT max(n) AS a, min(n) AS b FROM far.ops.flights) AS x FROM far.ops.flights": "2 columns where one value is wanted",
    "WITH w (a, b) AS (SELECT id FROM far.ops.flights) SELECT a FROM w": "there are 1 columns, and 2 names for them",
    "SELECT f.id FROM far.ops.flights f JOIN far.ops.airlines a USING (id)": "none is called `id` on the right",
    "SELECT f.id FROM far.ops.flights f NATURAL JOIN far.ops.airlines a": "there is no NATURAL JOIN",
    # values
    "SELECT nullif(carrier, 1) AS x FROM far.ops.flights": "which have no type in common",
    "SELECT carrier LIKE 'a!b' ESCAPE '!' AS x FROM far.ops.flights": "stands before neither",
    "SELECT carrier LIKE 'a' ESCAPE '!!' AS x FROM far.ops.flights": "an escape is one character",
    "SELECT CAST(day AS bigint) AS x FROM far.ops.flights": "there is no CAST of date to bigint",
    "SELECT -carrier AS x FROM far.ops.flights": "there is no -",
    "SELECT date_trunc('dya', seen) AS x FROM far.ops.flights": "'dya' is no unit",
}
NO_QUERY = [
    "SELECT id, , n FROM far.ops.flights",
    "SELECT id FROM",
    "DELETE FROM far.ops.flights",
    "SELECT (id",
    "FROM far.ops.flights SELECT id",
]
TAKEN = [
    "SELECT f.carrier, count(*) AS n FROM far.ops.flights f GROUP BY carrier",
    "SELECT carrier, count(*) AS n FROM far.ops.flights f GROUP BY f.carrier",
    'SELECT "carrier", count(*) AS n FROM far.ops.flights f GROUP BY f.carrier',
    'SELECT Carrier, count(*) AS n FROM far.ops.flights f GROUP BY f."carrier"',
    "SELECT upper(f.carrier) AS c FROM far.ops.flights f GROUP BY UPPER(carrier)",
    "SELECT carrier, name FROM far.ops.flights JOIN far.ops.airlines USING (carrier)",
    "WITH x AS (SELECT carrier, n FROM far.ops.flights) SELECT x.* FROM x WHERE n > (SELECT avg(n) FROM x)",
    "SELECT carrier, count(*) OVER () AS c, count(*) OVER (ORDER BY max(id)) AS d FROM far.ops.flights GROUP BY carrier",
    "SELECT carrier, sum(sum(n)) OVER (ORDER BY carrier) AS x FROM far.ops.flights GROUP BY carrier",
    "SELECT carrier, count(*) AS c FROM far.ops.flights GROUP BY carrier HAVING max(n) > 1 ORDER BY c DESC, carrier",
    "SELECT a.*, count(*) AS c FROM far.ops.airlines AS a GROUP BY a.carrier, name",
    "SELECT DISTINCT carrier, n AS m FROM far.ops.flights ORDER BY m, carrier, 1",
    "SELECT id FROM far.ops.flights UNION ALL SELECT n FROM far.ops.flights ORDER BY id, 1 LIMIT 3",
    "SELECT carrier, ok, count(*) AS c FROM far.ops.flights GROUP BY ROLLUP (carrier, ok)",
    "SELECT carrier, ok, count(*) AS c FROM far.ops.flights GROUP BY CUBE (carrier, ok) HAVING count(*) > 1",
    "SELECT carrier, ok FROM far.ops.flights GROUP BY GROUPING SETS ((carrier), (carrier, ok), ())",
    "SELECT sum(n) OVER w AS a, rank() OVER w AS r FROM far.ops.flights WINDOW w AS (PARTITION BY carrier ORDER BY id)",
    "SELECT sum(n) OVER (ORDER BY seen RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW) AS x FROM far.ops.flights",
    "SELECT lag(n) IGNORE NULLS OVER (ORDER BY id) AS x FROM far.ops.flights",
    "SELECT v.a, f.id FROM far.ops.flights f JOIN (VALUES (1, 'x'), (2, NULL)) AS v (a, b) ON f.n = v.a",
    "SELECT carrier LIKE 'a!%!!' ESCAPE '!' AS x, carrier NOT LIKE '_b' AS y FROM far.ops.flights",
    "SELECT f.id FROM far.ops.flights f CROSS JOIN far.ops.airlines a, far.ops.airlines b WHERE NOT EXISTS (SELECT 1)",
]
every = pytest.mark.parametrize("name", CASES)


def rules(name: str) -> Rules:
    found = import_module(f"language.dialects.{name}.rules").RULES
    assert isinstance(found, Rules)
    return found


def _mistakes(query: str, name: str) -> list[tuple[str, str]]:
    try:
        return [(query[p.start : p.end], p.cause) for p in typed(query, CASES[name].TABLES, name).problems]
    except Problem as problem:  # what the text alone tells
        return [("", problem.diagnostic.cause)]


def test_every_dialect_that_is_typed_by_lists_has_its_cases() -> None:
    assert set(CASES) == DECLARED


@every
def test_expressions_have_the_types_that_the_engine_gives_them(name: str) -> None:
    wanted = {**CASES[name].GIVES, **CASES[name].OVER_ROWS}
    given = {one: typed(f"SELECT {one} AS x FROM far.ops.flights", CASES[name].TABLES, name) for one in wanted}
    assert {one: found.problems for one, found in given.items() if found.problems} == {}
    assert {one: [column.type for column in found.columns] for one, found in given.items()} == {one: [k] for one, k in wanted.items()}


@pytest.mark.parametrize(("name", "expression"), [(name, one) for name, of in CASES.items() for one in of.WRONG])
def test_what_the_engine_refuses_and_what_is_not_known_is_told_at_its_place(name: str, expression: str) -> None:
    ((words, cause),) = _mistakes(f"SELECT {expression} AS x FROM far.ops.flights", name)
    place, why = CASES[name].WRONG[expression]
    assert why in cause and place in (words, "")


@every
def test_a_query_that_the_engine_does_not_run_or_that_is_not_known_is_refused(name: str) -> None:
    for query, cause in {**REFUSED, **CASES[name].REFUSED, **CASES[name].OTHERWISE}.items():
        assert any(cause in found for _, found in _mistakes(query, name)), (query, _mistakes(query, name))


@pytest.mark.parametrize(("name", "query"), [(name, query) for name, of in CASES.items() for query in (*NO_QUERY, *of.NO_QUERY)])
def test_what_is_no_query_and_what_the_engine_would_read_otherwise_is_refused(name: str, query: str) -> None:
    with pytest.raises(Problem):
        typed(query, CASES[name].TABLES, name)


@every
def test_a_query_that_the_engine_runs_is_taken(name: str) -> None:
    told = {query: _mistakes(query, name) for query in (*TAKEN, *CASES[name].TAKEN) if query not in CASES[name].OTHERWISE}
    assert {query: found for query, found in told.items() if found} == {}


NAMED = (
    *("SELECT {} AS x FROM far.ops.t", "SELECT id, max({}) AS x FROM far.ops.t GROUP BY id", "SELECT t.{} AS x FROM far.ops.t"),
    *(
        "SELECT id FROM far.ops.t WHERE {} > 1",
        "SELECT count(*) AS n FROM far.ops.t GROUP BY {}",
        "SELECT id FROM far.ops.t ORDER BY {}",
    ),
    *("SELECT {0}.id FROM far.ops.t AS {0}", "WITH {0} AS (SELECT id FROM far.ops.t) SELECT id FROM {0}"),
    "SELECT count(*) AS n FROM far.ops.t JOIN far.ops.t AS o ON t.{} = o.id",
)
LABEL = "SELECT id AS {} FROM far.ops.t"


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("name", "form"), [(name, form) for name in CASES for form in (*NAMED, LABEL)])
def test_a_word_that_the_engine_keeps_for_itself_is_a_name_in_quotes_alone(name: str, form: str) -> None:
    """sqlglot reads many of them as names, and the engine none."""
    of, told, taken = rules(name), 0, list[str]()
    for word in sorted(of.no_names - {"false", "null", "true"}):
        tables = {"far.ops.t": {"id": "long", word: "long"}}
        assert typed(form.format(f'"{word}"'), tables, name).problems == (), word
        query = form.format(word)
        try:
            found = [(query[p.start : p.end], p.remedy) for p in typed(query, tables, name).problems]
        except Problem:
            continue  # which is told too
        taken += [] if found else [word]
        told += (word, f'write it in quotes where it is a name: "{word}"') in found
    free = of.labels_free and form == LABEL
    assert free or (taken == [] and told > 5) or of.names_all_the_same is None


MOVING = {
    "DATE 'today'": "today",
    "CAST('yesterday' AS date) < day": "yesterday",
    "TIMESTAMP ' NOW '": "NOW",
    "CAST(('tomorrow 12:00') AS timestamp)": "tomorrow",
    "CAST(CAST('now' AS varchar(9)) AS timestamp)": "now",
    "max(CASE WHEN seen < CAST('now' AS timestamp) THEN n END)": "now",
}


@every
def test_a_text_that_is_another_moment_each_time_it_is_read_is_refused_where_a_moment_is_read(name: str) -> None:
    told = {one: _mistakes(f"SELECT {one} AS x FROM far.ops.flights", name) for one in MOVING}
    causes = {one: [cause.partition(" each time")[0] for _, cause in found] for one, found in told.items()}
    assert causes == {one: [f"`{word}` is another moment"] for one, word in MOVING.items()}
    still = "SELECT carrier = 'today' AS a, CAST('2024-01-01' AS date) AS b, CAST('now' AS varchar(3)) AS c FROM far.ops.flights"
    assert _mistakes(still, name) == []


@every
def test_columns_of_using_are_one_of_no_table_and_of_a_type_that_both_become(name: str) -> None:
    joined, tables = (
        "(SELECT n AS id, ok FROM far.ops.flights) l FULL JOIN (SELECT id, day FROM far.ops.flights) r USING (id)",
        CASES[name].TABLES,
    )
    found = typed(f"SELECT * FROM {joined}", tables, name)
    assert [(c.name, c.type) for c in found.columns] == [("id", "long"), ("ok", "boolean"), ("day", "date")]
    assert pinned(f"SELECT * FROM {joined}", tables, name).startswith("SELECT id, l.ok, r.day FROM")
    assert [c.name for c in typed(f"SELECT l.* FROM {joined}", tables, name).columns] == ["ok"]


@every
def test_a_star_is_written_out_and_a_table_keeps_its_name(name: str) -> None:
    query = "SELECT a.*, airlines.name AS n FROM far.ops.airlines AS a, far.ops.airlines"
    found = pinned(query, CASES[name].TABLES, name)
    assert found.startswith("SELECT a.carrier, a.name, airlines.name AS n FROM") and found.endswith("far.ops.airlines AS airlines")


@every
def test_an_outer_join_makes_nulls_and_a_star_leaves_out_what_is_atolls(name: str) -> None:
    query = "SELECT f.*, a.name FROM far.ops.flights f LEFT JOIN far.ops.airlines a USING (carrier)"
    found = typed(query, CASES[name].TABLES, name)
    names = [column.name for column in found.columns]
    assert found.problems == () and "_batch" not in names and names[-1] == "name"


@every
def test_each_signature_can_be_met_and_no_function_is_named_twice(name: str) -> None:
    types, known = rules(name).types, rules(name).functions
    groups = (known.signatures.keys(), known.varying, known.written, known.outside, known.others)
    assert sum(map(len, groups)) == len(known.names)
    plain = {"N": types.long.word, "D": types.moments[0], "T": types.text.word, "U": types.text.word}
    plain |= {"V": types.text.word, "A": types.text.word, "O": types.text.word}
    for function, signatures in known.signatures.items():
        for signature in signatures:
            assert known.result(function, [_argument(each, plain) for each in signature.arguments]) is not None, function
    assert known.aggregates | known.windows <= known.signatures.keys()


def _argument(pattern: TypeName, words: Mapping[str, str]) -> Argument:
    given = _plain(pattern, words)
    return Lambda(len(given.parts) - 1, lambda kinds: given.parts[-1]) if pattern.word == "->" else given


def _plain(pattern: TypeName, words: Mapping[str, str]) -> TypeName:
    sizes = (10, 2) if pattern.word == "decimal" else ()
    return TypeName(words.get(pattern.word, pattern.word), tuple(_plain(part, words) for part in pattern.parts), sizes=sizes)


@every
def test_a_type_of_a_table_comes_back_as_it_was(name: str) -> None:
    types = rules(name).types
    for kind in {*CASES[name].KINDS, *(kind for columns in CASES[name].TABLES.values() for kind in columns.values())}:
        assert types.schema_type(types.read(kind)) == kind and types.said(types.read(kind))
        assert types.common(types.read(kind), types.read(kind)) == types.read(kind)
