# ruff: noqa: E501  (templates, a line a kind)
"""Queries made by chance over the reference project's tables, to be typed by the compiler and by DuckDB; some of them are wrong."""

from __future__ import annotations

from random import Random

TABLES = {
    "lake.ops.flights": {
        "number": ["id", "flight", "dep_delay", "arr_delay", "distance"],
        "text": ["carrier", "tailnum", "origin", "dest"],
        "time": ["time_hour", "updated_at", "_batch"],
    },
    "lake.ops.airports": {"number": ["lat", "lon", "alt"], "text": ["faa", "name"], "time": ["_batch"]},
    "lake.crm.account": {"number": [], "text": ["id", "name", "type"], "flag": ["_deleted"], "time": ["systemmodstamp"]},
    "lake.crm.opportunity": {
        "number": ["amount"],
        "text": ["id", "accountid", "stagename"],
        "day": ["closedate"],
        "flag": ["_deleted"],
    },
}
KINDS = ("number", "text", "time", "day", "flag")
WRONG = 0.02  # of the expressions are of a kind that does not belong there
Known = dict[str, list[str]]


class Queries:
    """Draws queries; `known` are the columns in sight, by kind."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._number = 0

    def query(self, depth: int = 0) -> str:
        """SELECT … with named columns, of any shape."""
        shape = self._random.randint(0, 9)
        if shape == 0 and depth < 2:
            kinds = [self._kind() for _ in range(self._random.randint(1, 4))]
            operator = self._choice("UNION ALL", "UNION", "EXCEPT", "INTERSECT")
            return f"{self._select(kinds, depth + 1)} {operator} {self._select(kinds, depth + 1)}"
        if shape == 1 and depth < 2:
            source, _ = self._source(depth)
            return f"SELECT {self._choice('*', 's.*', 's.*, 1 AS extra')} FROM {source} AS s"
        return self._select([self._kind() for _ in range(self._random.randint(1, 5))], depth)

    def _select(self, kinds: list[str], depth: int) -> str:
        source, known = self._source(depth)
        tables, sight = f"{source} AS s", _qualified("s", known)
        if self._random.random() < 0.3:
            other, more = self._source(depth + 1)
            joined = _qualified("o", more)
            sight = {kind: sight.get(kind, []) + joined.get(kind, []) for kind in KINDS}
            tables += f" {self._choice('', 'LEFT ', 'FULL ')}JOIN {other} AS o ON {self._expression('flag', sight)}"
        where = f" WHERE {self._expression('flag', sight)}" if self._random.random() < 0.4 else ""
        if self._random.random() < 0.35:
            return self._grouped(kinds, sight, tables + where)
        items = [self._windowed(kind, sight) if self._random.random() < 0.1 else self._expression(kind, sight) for kind in kinds]
        order = f" ORDER BY {self._random.randint(1, len(kinds))} LIMIT 5" if self._random.random() < 0.1 and depth == 0 else ""
        return f"SELECT {self._choice('', '', '', 'DISTINCT ')}{_named(items)} FROM {tables}{where}{order}"

    def _grouped(self, kinds: list[str], sight: Known, tables: str) -> str:
        keys = [self._expression(self._kind(), sight, 2) for _ in range(self._random.randint(0, 2))]
        items = [*keys, *(self._aggregate(kind, sight) for kind in kinds[len(keys) :] or [kinds[0]])]
        group = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else ""
        having = f" HAVING {self._aggregate('number', sight)} > 1" if self._random.random() < 0.2 else ""
        return f"SELECT {_named(items)} FROM {tables}{group}{having}"

    def _source(self, depth: int) -> tuple[str, Known]:
        if depth < 2 and self._random.random() < 0.25:
            kinds = [self._kind() for _ in range(self._random.randint(1, 4))]
            known: Known = {}
            for number, kind in enumerate(kinds):
                known.setdefault(kind, []).append(f"c{number}")
            inner, known_inner = self._source(depth + 1)
            items = [self._expression(kind, _qualified("i", known_inner)) for kind in kinds]
            return f"(SELECT {_named(items)} FROM {inner} AS i)", known
        table = self._choice(*TABLES)
        return table, TABLES[table]

    def _aggregate(self, kind: str, sight: Known) -> str:
        of = {
            "number": ["count(*)", "count(DISTINCT {any})", "sum({number})", "avg({number})", "min({number})", "max({number})",
                       "median({number})", "stddev({number})", "sum({number}) FILTER (WHERE {flag})", "count({any}) / 2",
                       "round(avg({number}), 2)", "sum({flag}::INT)", "approx_count_distinct({any})", "date_diff('day', min({time}), max({time}))",
                       "sum({number}) / nullif(count({any}), 0)", "arg_max({number}, {time})", "quantile_cont({number}, 0.5)", "corr({number}, {number})"],
            "text": ["max({text})", "string_agg({text}, ',')", "any_value({text})", "first({text})", "mode({text})", "arg_min({text}, {number})"],
            "time": ["max({time})", "min({time})", "date_trunc('day', max({time}))", "any_value({time})"],
            "day": ["max({day})", "min({time})::DATE"],
            "flag": ["bool_and({flag})", "bool_or({flag})", "count(*) > 1", "max({number}) IS NULL"],
        }  # fmt: skip
        return self._filled(self._choice(*of[kind]), sight, 2)

    def _windowed(self, kind: str, sight: Known) -> str:
        of = {
            "number": ["row_number()", "rank()", "sum({number})", "lag({number}, 1, 0)", "avg({number})", "ntile(4)", "percent_rank()", "count(*)"],
            "text": ["lag({text})", "first_value({text})", "max({text})"],
            "time": ["lead({time})", "max({time})"],
            "day": ["max({day})"],
            "flag": ["bool_or({flag})"],
        }  # fmt: skip
        over = self._choice(
            "PARTITION BY {any} ORDER BY {any}", "ORDER BY {any}", "ORDER BY {any} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW"
        )
        return self._filled(f"{self._choice(*of[kind])} OVER ({over})", sight, 2)

    def _expression(self, kind: str, sight: Known, depth: int = 0) -> str:
        if self._random.random() < WRONG:
            kind = self._kind()
        columns = sight.get(kind) or []
        if columns and (depth > 2 or self._random.random() < 0.45):
            return self._choice(*columns)
        if depth > 2 or self._random.random() < 0.2:
            return self._choice(*_LITERALS[kind])
        return self._filled(self._choice(*_EXPRESSIONS[kind], *_ANY), sight, depth + 1, kind)

    def _filled(self, template: str, sight: Known, depth: int, same: str = "number") -> str:
        found = ""
        while "{" in template:
            before, _, rest = template.partition("{")
            word, _, template = rest.partition("}")
            kind = same if word == "same" else self._kind() if word == "any" else word
            found += before + self._expression(kind, sight, depth)
        return found + template

    def _kind(self) -> str:
        return self._choice("number", "number", "text", "time", "day", "flag")

    def _choice(self, *of: str) -> str:
        return self._random.choice(of)


_LITERALS = {
    "number": [
        "1",
        "0",
        "100000",
        "3000000000",
        "1.5",
        "0.001",
        "1e3",
        "CAST(NULL AS BIGINT)",
        "CAST(1 AS SMALLINT)",
        "2::DECIMAL(8, 3)",
    ],
    "text": ["'a'", "''", "'it''s'", "CAST(NULL AS VARCHAR)"],
    "time": ["batch_start()", "batch_end()", "TIMESTAMP '2024-01-01 00:00:00'"],
    "day": ["DATE '2024-02-29'", "batch_end()::DATE"],
    "flag": ["TRUE", "FALSE", "CAST(NULL AS BOOLEAN)"],
}
_ANY = ["coalesce({same}, {same})", "CASE WHEN {flag} THEN {same} ELSE {same} END", "CASE WHEN {flag} THEN {same} END", "({same})",
        "nullif({same}, {same})", "greatest({same}, {same})", "if({flag}, {same}, {same})"]  # fmt: skip
_EXPRESSIONS = {
    "number": ["{number} + {number}", "{number} - {number}", "{number} * {number}", "{number} / {number}", "{number} // 2", "{number} % 7",
               "-{number}", "abs({number})", "round({number}, 1)", "ceil({number})", "floor({number})", "length({text})", "year({day})",
               "extract(hour FROM {time})", "CAST({number} AS DOUBLE)", "CAST({number} AS BIGINT)", "CAST({number} AS DECIMAL(12, 2))",
               "date_diff('hour', {time}, {time})", "epoch({time})", "sqrt(abs({number}))", "sign({number})", "TRY_CAST({text} AS INTEGER)",
               "strpos({text}, 'a')", "datepart('month', {day})", "ln(abs({number}) + 1)", "power({number}, 2)", "({day} - {day})",
               "ascii({text})", "least({number}, {number})", "greatest({number}, 1.5)", "mod({number}, 3)", "[1, 2, 3][1]", "len([{number}])",
               "(SELECT max(y.amount) FROM lake.crm.opportunity AS y)"],
    "text": ["{text} || {text}", "upper({text})", "substring({text}, 1, 2)", "CAST({any} AS VARCHAR)", "trim({text})", "concat({text}, {any})",
             "left({text}, 2)", "replace({text}, 'a', 'b')", "split_part({text}, '-', 1)", "strftime({time}, '%Y')", "lpad({text}, 5, '0')",
             "regexp_replace({text}, 'a', 'b')", "regexp_extract({text}, 'a(.)', 1)", "string_split({text}, ',')[1]", "md5({text})",
             "dayname({day})", "reverse({text})", "repeat({text}, 2)", "concat_ws('-', {text}, {text})"],
    "time": ["date_trunc('hour', {time})", "{time} + INTERVAL 1 day", "{time} - INTERVAL '2 hours'", "CAST({day} AS TIMESTAMP)",
             "CAST({time} AS TIMESTAMPTZ)", "time_bucket(INTERVAL '15 minutes', {time})", "{day} + INTERVAL 1 hour", "to_timestamp({number})",
             "date_trunc('week', {day})"],
    "day": ["CAST({time} AS DATE)", "{day} + 1", "{day} - 7", "last_day({day})", "make_date(2024, 1, 2)"],
    "flag": ["{number} > {number}", "{text} = {text}", "{time} < {time}", "{day} >= {day}", "{text} LIKE 'a%'", "{any} IS NOT NULL",
             "NOT {flag}", "{flag} AND {flag}", "{flag} OR {flag}", "{number} BETWEEN {number} AND {number}", "{text} IN ('a', {text})",
             "{number} IN (1, 2.5)", "starts_with({text}, 'a')", "regexp_matches({text}, 'a')", "{number} IS DISTINCT FROM {number}",
             "contains({text}, 'x')", "{text} ILIKE {text}", "{text} IN (SELECT y.faa FROM lake.ops.airports AS y)",
             "EXISTS (SELECT 1 FROM lake.ops.airports AS y WHERE y.faa = {text})"],
}  # fmt: skip


def _named(items: list[str]) -> str:
    return ", ".join(f"{item} AS c{number}" for number, item in enumerate(items))


def _qualified(alias: str, known: Known) -> Known:
    return {kind: [f"{alias}.{name}" for name in names] for kind, names in known.items()}


def query(random: Random) -> str:
    return Queries(random).query()
