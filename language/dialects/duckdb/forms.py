"""What queries of DuckDB's say that other dialects say too: see language/sql/meanings/forms.py."""

from __future__ import annotations

from language.dialects.duckdb.read_alike import tree
from language.dialects.duckdb.types import duckdb_type
from language.sql.meanings import floating
from language.sql.meanings.forms import Forms

_PARTS = {
    name: (f"{name}(_1)", f"extract({name} FROM _1)", f"date_part('{name}', _1)") for name in ("year", "quarter", "month", "day")
}
_TIMES = {name: (f"{name}(_1)", f"extract({name} FROM _1)", f"date_part('{name}', _1)") for name in ("hour", "minute", "second")}
FORMS = Forms(
    own={
        **floating.greatest(),
        **{f"rounded_to_{digits}(double)": (f"round(_1, {digits})",) for digits in floating.DIGITS},
        "divided(W, W)": ("_1 / _2",),
        "divided_exact(decimal, X)": ("_1 / _2",),
        "divided_exact(X, decimal)": ("_1 / _2",),
        "divided(double, N)": ("_1 / _2",),
        "divided(N, double)": ("_1 / _2",),
        "quotient(W, W)": ("_1 // _2",),
        "mean_exact(decimal)": ("avg(_1)",),
        "minimum_with_nan(double)": ("min(_1)",),
        "maximum_with_nan(double)": ("max(_1)",),
        # Of nothing but NULL its own function gives NULL.
        "count_true(boolean)": ("count(*) FILTER (WHERE _1)",),
        "count_true_or_null(boolean)": ("count_if(_1)", "countif(_1)"),
        # Of a single infinite number or NaN its own is 0.
        **{f"{name}(double)": () for name in ("stddev_pop", "var_pop")},
        "stddev_samp(double)": ("stddev_samp(_1)", "stddev(_1)"),
        "var_samp(double)": ("var_samp(_1)", "variance(_1)"),
        "mean(int)": ("avg(_1)", "mean(_1)"),
        # Of large numbers it adds exactly, where others add them as floating ones.
        "mean_of_exact_sum(long)": ("avg(_1)", "mean(_1)"),
        "mean_of_floating_sum(long)": ("avg(CAST(_1 AS DOUBLE))",),
        "mean(double)": ("avg(_1)", "mean(_1)"),
        # texts
        "length(string)": ("length(_1)", "len(_1)", "char_length(_1)"),
        "lower(string)": ("lower(_1)", "lcase(_1)"),
        "upper(string)": ("upper(_1)", "ucase(_1)"),
        "begins(string, text)": ("starts_with(_1, _2)", "prefix(_1, _2)"),
        "ends(string, text)": ("ends_with(_1, _2)", "suffix(_1, _2)"),
        "found(string, word)": ("contains(_1, _2)",),
        "place(string, word)": ("strpos(_1, _2)", "instr(_1, _2)"),
        "from(string, 1+)": ("substr(_1, _2)", "substring(_1, _2)", "substring(_1 FROM _2)"),
        "part(string, 1+, 0+)": ("substr(_1, _2, _3)", "substring(_1, _2, _3)", "substring(_1 FROM _2 FOR _3)"),
        "left(string, 0+)": ("left(_1, _2)",),
        "joined_all(string, string)": ("concat(_1, _2)",),
        "joined_all(string, string, string)": ("concat(_1, _2, _3)",),
        "piece(string, word, 1+)": ("split_part(_1, _2, _3)",),
        "md5(string)": ("md5(_1)",),
        "sha256(string)": ("sha256(_1)",),
        # NULL is passed over
        "greatest_there_is(X, X)": ("greatest(_1, _2)",),
        "greatest_there_is(A, same)": ("greatest(_1, _2)",),
        "least_there_is(X, X)": ("least(_1, _2)",),
        "least_there_is(A, same)": ("least(_1, _2)",),
        "greatest_of_all(A, same)": ("CASE WHEN _1 IS NOT NULL AND _2 IS NOT NULL THEN greatest(_1, _2) END",),
        "greatest_of_all(X, X)": ("CASE WHEN _1 IS NOT NULL AND _2 IS NOT NULL THEN greatest(_1, _2) END",),
        "least_of_all(A, same)": ("CASE WHEN _1 IS NOT NULL AND _2 IS NOT NULL THEN least(_1, _2) END",),
        "least_of_all(X, X)": ("CASE WHEN _1 IS NOT NULL AND _2 IS NOT NULL THEN least(_1, _2) END",),
        # moments
        **{f"{name}(Z)": texts for name, texts in _PARTS.items()},
        **{f"{name}({kind})": texts for name, texts in _TIMES.items() for kind in ("timestamp", "timestamptz")},
        "week(Z)": ("week(_1)", "weekofyear(_1)", "extract(week FROM _1)"),
        "weekday_from_monday(Z)": ("isodow(_1)",),
        "day_of_year(Z)": ("dayofyear(_1)",),
        "truncated_to_moment(date_unit, date)": ("date_trunc(_1, _2)",),
        "truncated_to_day(date_unit, date)": ("CAST(date_trunc(_1, _2) AS DATE)",),
        "last_day(date)": ("last_day(_1)",),
        "days_between(date, date)": ("_1 - _2", "date_diff('day', _2, _1)", "datediff('day', _2, _1)"),
        "moved_to_moment(date, days)": ("_1 + _2",),
        "moved_to_moment(date, months)": ("_1 + _2",),
        "moved_back_to_moment(date, days)": ("_1 - _2",),
        "moved_back_to_moment(date, months)": ("_1 - _2",),
        "moved_to_day(date, days)": ("CAST(_1 + _2 AS DATE)",),
        "moved_to_day(date, months)": ("CAST(_1 + _2 AS DATE)",),
        "moved_back_to_day(date, days)": ("CAST(_1 - _2 AS DATE)",),
        "moved_back_to_day(date, months)": ("CAST(_1 - _2 AS DATE)",),
    },
    type_name=duckdb_type,
    tree=tree,
    casts={("decimal", "int"): True, ("decimal", "long"): True, ("decimal", "string"): True},
)
