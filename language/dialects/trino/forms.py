"""What queries of Trino's say that other dialects say too: see language/sql/meanings/forms.py."""

from __future__ import annotations

from language.dialects.trino.types import TYPES
from language.sql.meanings import floating
from language.sql.meanings.forms import Forms

_PARTS = {name: (f"{name}(_1)", f"extract({name} FROM _1)") for name in ("year", "quarter", "month", "day")}
_TIMES = {name: (f"{name}(_1)", f"extract({name} FROM _1)") for name in ("hour", "minute", "second")}
_MICROSECONDS = {"timestamp": "timestamp(6)", "timestamptz": "timestamp(6) with time zone"}
FORMS = Forms(
    own={
        **floating.none(),
        **floating.rounded_as_multiplied(),
        "divided(W, W)": ("CAST(_1 AS double) / CAST(_2 AS double)",),
        "divided_exact(decimal, X)": ("CAST(_1 AS double) / CAST(_2 AS double)",),
        "divided_exact(X, decimal)": ("CAST(_1 AS double) / CAST(_2 AS double)",),
        "divided(double, N)": ("_1 / _2",),
        "divided(N, double)": ("_1 / _2",),
        "quotient(W, W)": ("_1 / _2",),
        "count_true_or_null(boolean)": ("CASE WHEN count(_1) > 0 THEN count_if(_1) END",),
        "mean_of_exact_sum(long)": ("CAST(sum(CAST(_1 AS decimal(38, 0))) AS double) / CAST(count(_1) AS double)",),
        "mean_of_floating_sum(long)": ("avg(_1)",),
        "mean_exact(decimal)": ("avg(CAST(_1 AS double))",),
        "minimum_with_nan(double)": ("coalesce(min(_1) FILTER (WHERE NOT is_nan(_1)), min(_1))",),
        "maximum_with_nan(double)": ("CASE WHEN bool_or(is_nan(_1)) THEN CAST('NaN' AS double) ELSE max(_1) END",),
        # texts
        "upper(string)": ("replace(upper(_1), 'ß', 'ẞ')",),  # which Java leaves as it is
        "joined(string, string)": ("_1 || _2", "concat(_1, _2)"),
        "from(string, 1+)": ("substr(_1, _2)", "substring(_1, _2)", "substring(_1 FROM _2)"),
        "part(string, 1+, 0+)": ("substr(_1, _2, _3)", "substring(_1, _2, _3)", "substring(_1 FROM _2 FOR _3)"),
        "left(string, 0+)": ("substr(_1, 1, _2)",),
        "found(string, word)": ("strpos(_1, _2) > 0",),
        "place(string, word)": ("strpos(_1, _2)",),
        "ends(string, text)": ("ends_with(_1, _2)",),
        "joined_all(string, string)": ("coalesce(_1, '') || coalesce(_2, '')",),
        "joined_all(string, string, string)": ("coalesce(_1, '') || coalesce(_2, '') || coalesce(_3, '')",),
        "piece(string, word, 1+)": ("coalesce(split_part(_1, _2, _3), CASE WHEN _1 IS NOT NULL THEN '' END)",),
        "md5(string)": ("lower(to_hex(md5(to_utf8(_1))))",),
        "sha256(string)": ("lower(to_hex(sha256(to_utf8(_1))))",),
        # one NULL makes it NULL
        "greatest_of_all(X, X)": ("greatest(_1, _2)",),
        "greatest_of_all(A, same)": ("greatest(_1, _2)",),
        "least_of_all(X, X)": ("least(_1, _2)",),
        "least_of_all(A, same)": ("least(_1, _2)",),
        "greatest_there_is(A, same)": ("coalesce(greatest(_1, _2), _1, _2)",),
        "greatest_there_is(X, X)": ("coalesce(greatest(_1, _2), _1, _2)",),
        "least_there_is(A, same)": ("coalesce(least(_1, _2), _1, _2)",),
        "least_there_is(X, X)": ("coalesce(least(_1, _2), _1, _2)",),
        # moments
        **{f"{name}(Z)": texts for name, texts in _PARTS.items()},
        **{f"{name}({kind})": texts for name, texts in _TIMES.items() for kind in ("timestamp", "timestamptz")},
        "week(Z)": ("week(_1)", "week_of_year(_1)", "extract(week FROM _1)"),
        "weekday_from_monday(Z)": ("day_of_week(_1)", "dow(_1)"),
        "day_of_year(Z)": ("day_of_year(_1)", "doy(_1)"),
        "truncated_to_moment(date_unit, date)": ("CAST(date_trunc(_1, _2) AS timestamp(6))",),
        "truncated_to_day(date_unit, date)": ("date_trunc(_1, _2)",),
        "last_day(date)": ("last_day_of_month(_1)",),
        "days_between(date, date)": ("date_diff('day', _2, _1)",),
        "moved_to_moment(date, days)": ("CAST(_1 AS timestamp(6)) + _2",),
        "moved_to_moment(date, months)": ("CAST(_1 AS timestamp(6)) + _2",),
        "moved_back_to_moment(date, days)": ("CAST(_1 AS timestamp(6)) - _2",),
        "moved_back_to_moment(date, months)": ("CAST(_1 AS timestamp(6)) - _2",),
        "moved_to_day(date, days)": ("_1 + _2",),
        "moved_to_day(date, months)": ("_1 + _2",),
        "moved_back_to_day(date, days)": ("_1 - _2",),
        "moved_back_to_day(date, months)": ("_1 - _2",),
        "all(boolean)": ("bool_and(_1)", "every(_1)"),
        "stddev_samp(double)": ("stddev_samp(_1)", "stddev(_1)"),
        "var_samp(double)": ("var_samp(_1)", "variance(_1)"),
    },
    type_name=lambda kind: _MICROSECONDS.get(kind) or TYPES.said(TYPES.read(kind)),
    # A CAST to a moment of no digits rounds to milliseconds.
    casts={
        ("decimal", "int"): True,
        ("decimal", "long"): True,
        ("decimal", "string"): True,
        ("timestamp", "timestamp"): False,
        ("timestamptz", "timestamptz"): False,
    },
)
