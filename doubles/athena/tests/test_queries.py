"""Whole queries: grouping, joins, windows, sets, names; by Trino's rules of scope."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from doubles.athena.engine import _failure
from doubles.athena.errors import QueryFailed
from doubles.athena.kinds import BIGINT, INTEGER, VARCHAR, decimal

COLUMNS = [("id", INTEGER), ("kind", VARCHAR), ("price", decimal(10, 2)), ("n", BIGINT)]
ROWS = ["1, 'a', 1.50, 10", "2, 'a', 2.25, NULL", "3, 'b', NULL, 30", "4, NULL, 4.00, 40"]
GIVES: dict[str, list[list[str | None]]] = {
    "SELECT kind, count(*), count(n), sum(n), avg(price), max(id) FROM f GROUP BY 1 ORDER BY 1": [
        ["a", "2", "1", "10", "1.88", "2"],
        ["b", "1", "1", "30", None, "3"],
        [None, "1", "1", "40", "4.00", "4"],
    ],
    "SELECT count(*) FROM f WHERE id > 9": [["0"]],
    "SELECT sum(price), avg(n) FROM f": [["7.75", "26.666666666666668"]],
    "SELECT kind AS k FROM f GROUP BY kind HAVING count(*) > 1": [["a"]],
    "SELECT id FROM f ORDER BY kind DESC, id LIMIT 2": [["3"], ["1"]],
    "SELECT id FROM f ORDER BY n NULLS FIRST LIMIT 1": [["2"]],
    "SELECT id FROM f ORDER BY id OFFSET 1 LIMIT 1": [["2"]],
    "SELECT DISTINCT kind FROM f ORDER BY kind": [["a"], ["b"], [None]],
    "SELECT f.id, g.id FROM f JOIN f g ON f.n = g.n + 10 ORDER BY 1": [["4", "3"]],
    "SELECT f.id, g.id FROM f LEFT JOIN f AS g ON g.id = f.id + 3 ORDER BY 1": [["1", "4"], ["2", None], ["3", None], ["4", None]],
    "SELECT kind, count(*) FROM f JOIN (VALUES ('a', 1)) AS v(kind, w) USING (kind) GROUP BY kind": [["a", "2"]],
    "SELECT * FROM (VALUES (1, 2)) a(k, x) JOIN (VALUES (1, 3)) b(k, y) USING (k)": [["1", "2", "3"]],
    "SELECT id FROM f WHERE id IN (SELECT id FROM f WHERE n > 20) ORDER BY 1": [["3"], ["4"]],
    "SELECT id FROM f WHERE EXISTS (SELECT 1 FROM f g WHERE g.id = f.id + 3)": [["1"]],
    "SELECT id, (SELECT max(n) FROM f) - n FROM f WHERE id = 1": [["1", "30"]],
    "WITH q AS (SELECT kind, sum(n) AS s FROM f GROUP BY kind) SELECT s FROM q WHERE kind = 'b'": [["30"]],
    "WITH q(a, b) AS (SELECT id, n FROM f) SELECT x.b FROM q x JOIN q y ON x.a = y.a WHERE y.a = 4": [["40"]],
    "SELECT 1 UNION ALL SELECT 2.5 ORDER BY 1": [["1.0"], ["2.5"]],
    "SELECT kind FROM f UNION SELECT kind FROM f ORDER BY 1": [["a"], ["b"], [None]],
    "SELECT id FROM f EXCEPT SELECT id FROM f WHERE n > 0": [["2"]],
    "SELECT id, row_number() OVER (PARTITION BY kind ORDER BY id DESC) FROM f WHERE kind = 'a' ORDER BY 1": [["1", "2"], ["2", "1"]],
    "SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM f ORDER BY 1": [
        ["1", "1"],
        ["2", "3"],
        ["3", "5"],
        ["4", "7"],
    ],
    "SELECT id, last_value(n) IGNORE NULLS OVER (ORDER BY id) FROM f WHERE id < 3 ORDER BY 1": [["1", "10"], ["2", "10"]],
    "SELECT array_agg(id ORDER BY id DESC), sum(id) FILTER (WHERE kind = 'a') FROM f": [["[4, 3, 2, 1]", "3"]],
    "SELECT min_by(n, id), max_by(kind, id) FROM f": [["10", None]],
    "SELECT count(DISTINCT kind), approx_distinct(id) FROM f": [["2", "4"]],
    "SELECT id FROM f WHERE kind NOT LIKE 'a%'": [["3"]],
    "SELECT kind, grouping(kind), count(*) FROM f GROUP BY ROLLUP (kind) ORDER BY 2, 1": [
        ["a", "0", "2"],
        ["b", "0", "1"],
        [None, "0", "1"],
        [None, "1", "4"],
    ],
    "SELECT kind, id, count(*) FROM f WHERE id > 2 GROUP BY GROUPING SETS ((kind), (id), ()) ORDER BY 3 DESC, 1, 2": [
        [None, None, "2"],
        ["b", None, "1"],
        [None, "3", "1"],
        [None, "4", "1"],
        [None, None, "1"],
    ],
    "SELECT id, sum(id) OVER w, max(id) OVER (w ROWS 1 PRECEDING) FROM f WINDOW w AS (ORDER BY id) ORDER BY id LIMIT 2": [
        ["1", "1", "1"],
        ["2", "3", "2"],
    ],
    "SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) FROM "
    "(VALUES (1, DATE '2024-01-01'), (2, DATE '2024-01-02'), (3, DATE '2024-01-04')) AS v (id, d) ORDER BY 1": [
        ["1", "1"],
        ["2", "2"],
        ["3", "1"],
    ],
    "SELECT listagg(kind, '/') WITHIN GROUP (ORDER BY id DESC), listagg(DISTINCT kind, '/') WITHIN GROUP (ORDER BY kind) FROM f": [
        ["b/a/a", "a/b"]
    ],
    "SELECT id, x, k, v, o FROM f CROSS JOIN UNNEST(ARRAY['p', 'q'], map(ARRAY['k'], ARRAY[id])) WITH ORDINALITY AS u (x, k, v, o) "
    "WHERE id = 2 ORDER BY o": [["2", "p", "k", "2", "1"], ["2", "q", None, None, "2"]],
    "SELECT id, x FROM f LEFT JOIN UNNEST(if(id = 1, ARRAY[7, 8], ARRAY[])) AS u (x) ON true WHERE id < 3 ORDER BY 1, 2": [
        ["1", "7"],
        ["1", "8"],
        ["2", None],
    ],
    "SELECT a, b FROM UNNEST(ARRAY[CAST(ROW(1, 'x') AS ROW(p integer, q varchar)), NULL]) AS t (a, b) ORDER BY 1": [
        ["1", "x"],
        [None, None],
    ],
    "SELECT transform(ARRAY[id], e -> e + 1), transform(ARRAY[id], e -> e + 1) FROM f WHERE id < 2 GROUP BY 1": [["[2]", "[2]"]],
    "SELECT map_agg(kind, id), histogram(kind) FROM f WHERE id < 4": [["{a=1, b=3}", "{a=2, b=1}"]],
    "SELECT kind FROM f EXCEPT ALL SELECT 'a' ORDER BY 1": [["a"], ["b"], [None]],
    "SELECT id FROM f ORDER BY id DESC FETCH FIRST 1 ROW ONLY": [["4"]],
    "SELECT transform(array_agg(id ORDER BY id), x -> x * 10) FROM f": [["[10, 20, 30, 40]"]],
    'SELECT ID, F.Kind FROM F WHERE "ID" = 1': [["1", "a"]],
    "SELECT f.id FROM db.f WHERE db.f.id = 1": [["1"]],
}
FAILS = {
    "SELECT kind, id FROM f GROUP BY 1": "EXPRESSION_NOT_AGGREGATE",
    "SELECT id AS x FROM f WHERE x = 1": "COLUMN_NOT_FOUND",
    "SELECT id AS x, count(*) FROM f GROUP BY x": "COLUMN_NOT_FOUND",
    "SELECT f.id FROM f AS g": "COLUMN_NOT_FOUND",
    "SELECT id FROM f JOIN f g ON f.id = g.id": "AMBIGUOUS_NAME",
    "SELECT a.k FROM (VALUES (1, 2)) a(k, x) JOIN (VALUES (1, 3)) b(k, y) USING (k)": "COLUMN_NOT_FOUND",
    "SELECT id FROM f UNION SELECT kind FROM f": "TYPE_MISMATCH",
    "SELECT (SELECT id FROM f)": "SUBQUERY_MULTIPLE_ROWS",
    "SELECT kind FROM f WHERE n": "TYPE_MISMATCH",
    "SELECT u FROM f CROSS JOIN UNNEST(kind) AS t(u)": "TYPE_MISMATCH",
    "SELECT sum(id) FILTER (WHERE n > 1) OVER () FROM f": "NOT_SUPPORTED",
    "SELECT sum(id) OVER w FROM f": "INVALID_WINDOW_REFERENCE",
    "WITH RECURSIVE r AS (SELECT 1) SELECT * FROM r": "NOT_SUPPORTED",
    "SELECT id FROM f TABLESAMPLE BERNOULLI (10)": "NOT_SUPPORTED",
    "SELECT id FROM f NATURAL JOIN f": "NOT_SUPPORTED",
    "SELECT id FROM f FETCH FIRST 1 ROW WITH TIES": "NOT_SUPPORTED",
}


@pytest.fixture(scope="module")
def filled(one_trino: Any) -> Any:
    one_trino.fill(COLUMNS, ROWS)
    return one_trino


@pytest.mark.parametrize("text", GIVES)
def test_a_query_gives_what_trino_gives(text: str, filled: Any) -> None:
    filled.types(text)
    assert filled.answers(text) == GIVES[text]


@pytest.mark.parametrize("text", FAILS)
def test_a_query_that_trino_refuses_or_that_is_not_known_fails(text: str, filled: Any) -> None:
    with pytest.raises(QueryFailed, match=FAILS[text]):
        try:
            filled.answers(text)
        except duckdb.Error as error:
            raise _failure(error) from None
