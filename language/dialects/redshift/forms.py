"""What queries of Redshift's say that other dialects say too: see language/sql/meanings/forms.py.

Of what its documentation leaves open there is a form that gives the same either way: how ROUND takes halves, where NaN stands among
numbers, what a second is of 59.9. LOWER and UPPER, ISO weeks and added months are left open too, and have none.
"""

from __future__ import annotations

from language.dialects.redshift.query import RedshiftQuery
from language.dialects.redshift.types import TYPES
from language.sql.meanings import floating, own_texts
from language.sql.meanings.forms import Forms

_BOTH = "CAST(_1 AS double precision) / CAST(_2 AS double precision)"
_SAME = "coalesce(_1 = _2, _1 IS NULL AND _2 IS NULL)"
_NAN, _IS_NAN = "CAST('NaN' AS double precision)", "CAST(_1 AS varchar(32)) = 'NaN'"
_TRUE = "count(CASE WHEN _1 THEN 1 END)"
_DAY = "CAST(_1 AS timestamp)"
_COMPARED = ("X, X", "A, same")
# https://docs.aws.amazon.com/redshift/latest/dg/r_GREATEST_LEAST.html: NULL only where all are.
_GREATEST = {
    f"{name}_{which}({parts})": (text.format(name),)
    for name in ("greatest", "least")
    for which, text in (
        ("there_is", "{}(_1, _2)"),
        ("of_all", "CASE WHEN _1 IS NOT NULL AND _2 IS NOT NULL THEN {}(_1, _2) END"),
    )
    for parts in _COMPARED
}
FORMS = Forms(
    own={
        **floating.rounded_from_floor(),
        "more_with_nan(F, number)": (f"({_IS_NAN} OR _1 > _2)",),
        "least_with_nan(F, number)": (f"({_IS_NAN} OR _1 >= _2)",),
        "more_without_nan(F, number)": (f"(NOT {_IS_NAN} AND _1 > _2)",),
        "least_without_nan(F, number)": (f"(NOT {_IS_NAN} AND _1 >= _2)",),
        **{f"distinct({parts})": (f"NOT {_SAME}",) for parts in _COMPARED},
        **{f"not_distinct({parts})": (_SAME,) for parts in _COMPARED},
        "divided(W, W)": (_BOTH,),
        "divided_exact(decimal, X)": (_BOTH,),
        "divided_exact(X, decimal)": (_BOTH,),
        "divided(double, N)": ("_1 / _2",),
        "divided(N, double)": ("_1 / _2",),
        "quotient(W, W)": ("_1 / _2",),
        # texts
        "length(string)": ("len(_1)", "length(_1)", "char_length(_1)", "character_length(_1)"),
        "lower(string)": (),
        "joined(string, string)": ("_1 || _2", "concat(_1, _2)"),
        "from(string, 1+)": ("substring(_1, _2)", "substr(_1, _2)"),
        "part(string, 1+, 0+)": ("substring(_1, _2, _3)", "substr(_1, _2, _3)"),
        "left(string, 0+)": ("left(_1, _2)",),
        # By `=` a text would be the same with blanks behind it.
        "begins(string, text)": ("strpos('x' || _1, 'x' || _2) = 1",),
        "found(string, word)": ("strpos(_1, _2) > 0",),
        "place(string, word)": ("strpos(_1, _2)", "charindex(_2, _1)"),
        "joined_all(string, string)": ("coalesce(_1, '') || coalesce(_2, '')",),
        "joined_all(string, string, string)": ("coalesce(_1, '') || coalesce(_2, '') || coalesce(_3, '')",),
        "piece(string, word, 1+)": ("split_part(_1, _2, _3)",),
        "md5(string)": ("md5(_1)",),
        "sha256(string)": ("sha2(_1, 256)",),
        **_GREATEST,
        # moments
        **{f"{name}(Z)": (f"extract({name} FROM _1)",) for name in ("year", "quarter", "month", "day")},
        **{f"{name}(timestamp)": (f"extract({name} FROM _1)",) for name in ("hour", "minute")},
        # Of a moment with a zone all parts are floating numbers, and so are the seconds of any.
        **{f"{name}(timestamptz)": (f"CAST(extract({name} FROM _1) AS bigint)",) for name in ("hour", "minute")},
        **{
            f"second({kind})": ("CAST(extract(second FROM date_trunc('second', _1)) AS bigint)",)
            for kind in ("timestamp", "timestamptz")
        },
        "day_of_year(Z)": ("extract(doy FROM _1)",),
        "truncated_to_moment(date_unit, date)": ("date_trunc(_1, CAST(_2 AS timestamp))",),
        "truncated_to_day(date_unit, date)": ("CAST(date_trunc(_1, CAST(_2 AS timestamp)) AS date)",),
        "last_day(date)": ("last_day(_1)",),
        "days_between(date, date)": ("_1 - _2",),
        **{f"{moved}(timestamp, months)": () for moved in ("moved", "moved_back")},
        "moved_to_moment(date, days)": (f"{_DAY} + _2",),
        "moved_back_to_moment(date, days)": (f"{_DAY} - _2",),
        "moved_to_day(date, days)": (f"CAST({_DAY} + _2 AS date)",),
        "moved_back_to_day(date, days)": (f"CAST({_DAY} - _2 AS date)",),
        # over rows
        "mean(int)": ("avg(CAST(_1 AS double precision))",),
        "mean_of_exact_sum(long)": (
            "CAST(sum(CAST(_1 AS decimal(38, 0))) AS double precision) / CAST(nullif(count(_1), 0) AS double precision)",
        ),
        "mean_of_floating_sum(long)": ("avg(CAST(_1 AS double precision))",),
        "mean_exact(decimal)": ("avg(CAST(_1 AS double precision))",),
        "minimum_with_nan(double)": (f"coalesce(min(CASE WHEN NOT {_IS_NAN} THEN _1 END), min(_1))",),
        "maximum_with_nan(double)": (f"CASE WHEN bool_or({_IS_NAN}) THEN {_NAN} ELSE max(_1) END",),
        "count_true(boolean)": (_TRUE,),
        "count_true_or_null(boolean)": (f"CASE WHEN count(_1) > 0 THEN {_TRUE} END",),
        "stddev_samp(double)": ("stddev_samp(_1)", "stddev(_1)"),
        "var_samp(double)": ("var_samp(_1)", "variance(_1)"),
        # Behind an ORDER BY these ask for a frame: https://docs.aws.amazon.com/redshift/latest/dg/r_WF_first_value.html
        **{f"{name}(any)": () for name in ("first_value", "last_value")},
    },
    # A VARCHAR without a length is cut at 256 bytes by a CAST: https://docs.aws.amazon.com/redshift/latest/dg/r_CAST_function.html
    type_name=lambda kind: "varchar(65535)" if kind == "string" else TYPES.said(TYPES.read(kind)),
    tree=own_texts.tree,
    spelled=lambda text: own_texts.spelled(text, "redshift"),
    reads=RedshiftQuery,
)
