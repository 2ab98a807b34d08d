"""What queries of Snowflake's say that other dialects say too: see language/sql/meanings/forms.py.

LOWER and UPPER have no form: of letters beyond ASCII its documentation tells nothing.
"""

from __future__ import annotations

from language.dialects.snowflake.query import SnowflakeQuery
from language.dialects.snowflake.types import TYPES
from language.sql.meanings import floating, own_texts
from language.sql.meanings.forms import Forms

_BOTH = "CAST(_1 AS float) / CAST(_2 AS float)"
_TRUE = "count(CASE WHEN _1 THEN 1 END)"  # of its own COUNT_IF it says that it may be NULL
_TIMES = ("timestamp", "timestamptz")
_COMPARED = ("X, X", "A, same")
# https://docs.snowflake.com/en/sql-reference/functions/greatest: NULL where any is.
_GREATEST = {
    f"{name}_{which}({parts})": (text.format(name),)
    for name in ("greatest", "least")
    for which, text in (("of_all", "{}(_1, _2)"), ("there_is", "coalesce({}(_1, _2), _1, _2)"))
    for parts in _COMPARED
}
FORMS = Forms(
    own={
        # https://docs.snowflake.com/en/sql-reference/data-types-numeric: NaN is the same as itself, and greater than any other.
        **floating.greatest("CAST({} AS float) = CAST('NaN' AS float)"),
        **floating.rounded_as_multiplied(),
        "divided(W, W)": (_BOTH,),
        "divided_exact(decimal, X)": (_BOTH,),
        "divided_exact(X, decimal)": (_BOTH,),
        "divided(double, N)": ("_1 / _2",),
        "divided(N, double)": ("_1 / _2",),
        "quotient(W, W)": ("CAST((_1 - _1 % _2) / _2 AS bigint)",),  # a quotient of its own is rounded
        # texts
        "length(string)": ("length(_1)", "len(_1)"),
        "lower(string)": (),
        "joined(string, string)": ("_1 || _2", "concat(_1, _2)"),
        "from(string, 1+)": ("substr(_1, _2)", "substring(_1, _2)"),
        "part(string, 1+, 0+)": ("substr(_1, _2, _3)", "substring(_1, _2, _3)"),
        "left(string, 0+)": ("left(_1, _2)",),
        "begins(string, text)": ("startswith(_1, _2)",),
        "ends(string, text)": ("endswith(_1, _2)",),
        "found(string, word)": ("contains(_1, _2)",),
        "place(string, word)": ("charindex(_2, _1)",),
        "joined_all(string, string)": ("coalesce(_1, '') || coalesce(_2, '')",),
        "joined_all(string, string, string)": ("coalesce(_1, '') || coalesce(_2, '') || coalesce(_3, '')",),
        "piece(string, word, 1+)": ("split_part(_1, _2, _3)",),
        "md5(string)": ("md5(_1)", "md5_hex(_1)"),
        "sha256(string)": ("sha2(_1, 256)", "sha2(_1)", "sha2_hex(_1, 256)"),
        **_GREATEST,
        # moments
        "day(Z)": ("day(_1)", "dayofmonth(_1)"),
        "week(Z)": ("weekiso(_1)",),
        "weekday_from_monday(Z)": ("dayofweekiso(_1)",),
        "day_of_year(Z)": ("dayofyear(_1)",),
        "truncated_to_moment(date_unit, date)": ("CAST(date_trunc(_1, _2) AS timestamp_ntz)",),
        "truncated_to_day(date_unit, date)": ("date_trunc(_1, _2)",),
        "last_day(date)": ("last_day(_1)",),
        "days_between(date, date)": ("_1 - _2",),
        **{f"moved_to_moment(date, {by})": ("CAST(_1 AS timestamp_ntz) + _2",) for by in ("days", "months")},
        **{f"moved_back_to_moment(date, {by})": ("CAST(_1 AS timestamp_ntz) - _2",) for by in ("days", "months")},
        **{f"moved_to_day(date, {by})": ("CAST(CAST(_1 AS timestamp_ntz) + _2 AS date)",) for by in ("days", "months")},
        **{f"moved_back_to_day(date, {by})": ("CAST(CAST(_1 AS timestamp_ntz) - _2 AS date)",) for by in ("days", "months")},
        # over rows
        "mean(int)": ("avg(CAST(_1 AS float))",),
        "mean_of_exact_sum(long)": ("CAST(sum(CAST(_1 AS decimal(38, 0))) AS float) / CAST(nullif(count(_1), 0) AS float)",),
        "mean_of_floating_sum(long)": ("avg(CAST(_1 AS float))",),
        "mean_exact(decimal)": ("avg(CAST(_1 AS float))",),
        "minimum_with_nan(double)": ("min(_1)",),
        "maximum_with_nan(double)": ("max(_1)",),
        "all(boolean)": ("booland_agg(_1)",),
        "any(boolean)": ("boolor_agg(_1)",),
        "count_true(boolean)": (_TRUE,),
        "count_true_or_null(boolean)": (f"CASE WHEN count(_1) > 0 THEN {_TRUE} END",),
        "stddev_samp(double)": ("stddev_samp(_1)", "stddev(_1)"),
        "var_samp(double)": ("var_samp(_1)", "variance(_1)"),
        # Its frame ends with the partition: https://docs.snowflake.com/en/sql-reference/functions/last_value
        "last_value(any)": (),
    },
    type_name=lambda kind: TYPES.said(TYPES.read(kind)),
    tree=own_texts.tree,
    spelled=lambda text: own_texts.spelled(text, "snowflake"),
    reads=SnowflakeQuery,
)
