"""What Trino's SQL gives and refuses, for the suite of all dialects that are typed by lists."""

from __future__ import annotations

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
REFUSED = {
    "SELECT id FROM far.ops.flights UNION ALL SELECT name FROM far.ops.airlines": "bigint on one side and varchar",
    "SELECT t FROM far.ops.flights CROSS JOIN UNNEST(tags) AS u (t)": "cannot be read in FROM here",
    "SELECT a.id FROM far.ops.flights AS a TABLESAMPLE BERNOULLI (10)": "not known here",
}
NO_QUERY = [
    "FROM far.ops.flights",
    "SELECT * EXCLUDE (id) FROM far.ops.flights",
    "SELECT f.* REPLACE (1 AS id) FROM far.ops.flights f",
    "SELECT carrier::varchar AS c FROM far.ops.flights",
    "SELECT [1, 2] AS l FROM far.ops.flights",
    "SELECT day + INTERVAL 1 DAY AS d FROM far.ops.flights",
    "SELECT day + INTERVAL '1 day' AS d FROM far.ops.flights",
    "SELECT id FROM far.ops.flights LIMIT 5 OFFSET 2",
]
TAKEN = [
    "SELECT id, sum(n) FILTER (WHERE ok) OVER (PARTITION BY carrier) AS s FROM far.ops.flights",
]
KINDS = ["decimal(12,4)", "list<map<string, long>>", "struct<a: int, b: list<date>>"]
