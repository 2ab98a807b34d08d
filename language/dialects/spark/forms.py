"""What queries of Spark's say that other dialects say too: see language/sql/meanings/forms.py."""

from __future__ import annotations

from sqlglot import exp

from language.dialects.spark.query import SparkQuery
from language.dialects.spark.types import TYPES
from language.sql.called_query import CalledQuery
from language.sql.meanings import floating, own_texts
from language.sql.meanings.forms import Forms

_PARTS = {name: (f"{name}(_1)", f"extract({name} FROM _1)") for name in ("year", "quarter", "month", "day")}
_TIMES = {name: (f"{name}(_1)",) for name in ("hour", "minute", "second")}


def _tree(query: CalledQuery) -> exp.Query:
    found = own_texts.tree(query)
    if "try_cast" not in query.span.text.lower():
        for cast in [*found.find_all(exp.TryCast)]:  # which sqlglot takes each CAST for
            cast.replace(exp.Cast(this=cast.this, to=cast.args["to"]))
    return found


FORMS = Forms(
    own={
        **floating.greatest(),
        **floating.rounded_as_multiplied(),
        "divided(W, W)": ("_1 / _2",),
        "divided_exact(decimal, X)": ("CAST(_1 AS double) / CAST(_2 AS double)",),
        "divided_exact(X, decimal)": ("CAST(_1 AS double) / CAST(_2 AS double)",),
        "divided(double, N)": ("_1 / _2",),
        "divided(N, double)": ("_1 / _2",),
        "quotient(W, W)": ("_1 DIV _2",),
        "mean_exact(decimal)": ("avg(CAST(_1 AS double))",),
        "mean(int)": ("avg(_1)", "mean(_1)"),
        "count_true_or_null(boolean)": ("CASE WHEN count(_1) > 0 THEN count_if(_1) END",),
        "mean_of_exact_sum(long)": ("CAST(sum(CAST(_1 AS decimal(28, 0))) AS double) / CAST(count(_1) AS double)",),
        "mean_of_floating_sum(long)": ("avg(_1)", "mean(_1)"),
        "mean(double)": ("avg(_1)", "mean(_1)"),
        "minimum_with_nan(double)": ("min(_1)",),
        "maximum_with_nan(double)": ("max(_1)",),
        # They give a whole number here, of which there is none for NaN and infinity.
        "floor(double)": (),
        "ceiling(double)": (),
        # texts
        # Of a sigma and of a dotted I Java makes what depends on the letters around.
        "lower(string)": ("lower(replace(replace(_1, '\u03a3', '\u03c3'), '\u0130', 'i'))",),
        "joined(string, string)": ("_1 || _2", "concat(_1, _2)"),
        "length(string)": ("length(_1)", "char_length(_1)", "character_length(_1)"),
        "from(string, 1+)": ("substr(_1, _2)", "substring(_1, _2)"),
        "part(string, 1+, 0+)": ("substr(_1, _2, _3)", "substring(_1, _2, _3)"),
        "left(string, 0+)": ("left(_1, _2)",),
        "begins(string, text)": ("startswith(_1, _2)",),
        "ends(string, text)": ("endswith(_1, _2)",),
        "found(string, word)": ("contains(_1, _2)",),
        "place(string, word)": ("instr(_1, _2)",),
        "joined_all(string, string)": ("coalesce(_1, '') || coalesce(_2, '')",),
        "joined_all(string, string, string)": ("coalesce(_1, '') || coalesce(_2, '') || coalesce(_3, '')",),
        "piece(string, word, 1+)": ("split_part(_1, _2, _3)",),
        "md5(string)": ("md5(CAST(_1 AS binary))",),
        "sha256(string)": ("sha2(CAST(_1 AS binary), 256)",),
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
        "week(Z)": ("weekofyear(_1)",),
        "day_of_year(Z)": ("dayofyear(_1)",),
        "truncated(unit, timestamp)": ("CAST(date_trunc(_1, _2) AS timestamp_ntz)",),
        "truncated_to_moment(date_unit, date)": ("CAST(date_trunc(_1, _2) AS timestamp_ntz)",),
        "truncated_to_day(date_unit, date)": ("CAST(date_trunc(_1, _2) AS date)",),
        "last_day(date)": ("last_day(_1)",),
        "days_between(date, date)": ("datediff(_1, _2)",),
        "moved_to_moment(date, days)": ("CAST(_1 AS timestamp_ntz) + _2",),
        "moved_to_moment(date, months)": ("CAST(_1 AS timestamp_ntz) + _2",),
        "moved_back_to_moment(date, days)": ("CAST(_1 AS timestamp_ntz) - _2",),
        "moved_back_to_moment(date, months)": ("CAST(_1 AS timestamp_ntz) - _2",),
        "moved_to_day(date, days)": ("_1 + _2",),
        "moved_to_day(date, months)": ("_1 + _2",),
        "moved_back_to_day(date, days)": ("_1 - _2",),
        "moved_back_to_day(date, months)": ("_1 - _2",),
        "all(boolean)": ("bool_and(_1)", "every(_1)"),
        "any(boolean)": ("bool_or(_1)", "some(_1)"),
        "stddev_samp(double)": ("stddev_samp(_1)", "stddev(_1)"),
        "var_samp(double)": ("var_samp(_1)", "variance(_1)"),
    },
    type_name=lambda kind: TYPES.said(TYPES.read(kind)),
    tree=_tree,
    spelled=lambda text: own_texts.spelled(text, "spark"),
    reads=SparkQuery,
    among_rows=False,  # as tests/language/test_meanings.py has seen: NULL IN (SELECT …) is FALSE in a column
)
