"""Aggregates and functions of windows. {d}: DISTINCT; {o}: ORDER BY within; {f}: FILTER and OVER; {i}: IGNORE NULLS."""

from __future__ import annotations

from doubles.athena.arithmetic import divided, scaled, unscaled
from doubles.athena.casts import coerced, once
from doubles.athena.kinds import as_decimal, decimal
from doubles.athena.scope import Value
from doubles.athena.signatures import table

# An approximation may be exact; https://trino.io/docs/current/functions/aggregate.html#approximate-aggregate-functions
AGGREGATES = table(
    """
    count() bigint :: count(*){f}
    count(T) bigint :: count({d}{0}){f}
    count_if(boolean) bigint :: coalesce(CAST(count_if({0}){f} AS BIGINT), 0)
    sum(bigint) bigint :: CAST(sum({d}{0}){f} AS BIGINT)
    sum(decimal) decimal38 :: CAST(sum({d}{0}){f} AS {kind})
    sum(real) real :: CAST(sum({d}{0}){f} AS FLOAT)
    sum(double) double :: sum({d}{0}){f}
    avg(bigint) double :: CAST(sum({d}{0}){f} AS DOUBLE) / count({d}{0}){f}
    avg(real) real :: CAST(avg({d}{0}){f} AS FLOAT)
    avg(double) double :: avg({d}{0}){f}
    min(T) T :: min({0}){f}
    max(T) T :: max({0}){f}
    min_by(T, U) T :: arg_min_null({0}, {1}){f}
    max_by(T, U) T :: arg_max_null({0}, {1}){f}
    arbitrary(T) T :: any_value({0}){f}
    array_agg(T) array(T) :: list({d}{0}{o}){f}
    listagg(varchar) varchar :: string_agg({d}{0}, ''{o}){f}
    listagg(varchar, varchar) varchar :: string_agg({d}{0}, {1}{o}){f}
    bool_and(boolean) boolean :: bool_and({0}){f}
    bool_or(boolean) boolean :: bool_or({0}){f}
    approx_distinct(T) bigint :: count(DISTINCT {0}){f}
    approx_percentile(bigint, double) bigint :: quantile_disc({0}, {1}){f}
    approx_percentile(real, double) real :: quantile_disc({0}, {1}){f}
    approx_percentile(double, double) double :: quantile_disc({0}, {1}){f}
    stddev_samp(double) double :: stddev_samp({0}){f}
    stddev_pop(double) double :: stddev_pop({0}){f}
    var_samp(double) double :: var_samp({0}){f}
    var_pop(double) double :: var_pop({0}){f}
    geometric_mean(double) double :: geomean({0}){f}
    map_agg(T, U) map(T, U) :: list_transform([list(struct_pack(k := {0}, v := {1})){f}], lambda o: map_from_entries(
        :: list_filter(o, lambda e, n: e.k IS NOT NULL AND list_position(list_transform(o, lambda w: w.k), e.k) = n)))[1]
    histogram(T) map(T, bigint) :: CAST(histogram({0}){f} AS {kind})
    corr(double, double) double :: corr({0}, {1}){f}
    covar_pop(double, double) double :: covar_pop({0}, {1}){f}
    covar_samp(double, double) double :: covar_samp({0}, {1}){f}
    """
)
WINDOWS = table(
    """
    row_number() bigint :: row_number(){f}
    rank() bigint :: rank(){f}
    dense_rank() bigint :: dense_rank(){f}
    ntile(bigint) bigint :: ntile({0}){f}
    percent_rank() double :: percent_rank(){f}
    cume_dist() double :: cume_dist(){f}
    lag(T) T :: lag({0}{i}){f}
    lag(T, bigint) T :: lag({0}, {1}{i}){f}
    lag(T, bigint, T) T :: lag({0}, {1}, {2}{i}){f}
    lead(T) T :: lead({0}{i}){f}
    lead(T, bigint) T :: lead({0}, {1}{i}){f}
    lead(T, bigint, T) T :: lead({0}, {1}, {2}{i}){f}
    first_value(T) T :: first_value({0}{i}){f}
    last_value(T) T :: last_value({0}{i}){f}
    nth_value(T, bigint) T :: nth_value({0}, {1}{i}){f}
    """
)


def average(value: Value, distinct: str, suffix: str) -> Value:
    """Of decimals: exactly, with the digits of what is averaged; a half is rounded away from zero."""
    kind = decimal(*as_decimal(value.kind))
    sql = coerced(value, kind)
    total, number = f"sum({distinct}{sql}){suffix}", f"count({distinct}{sql}){suffix}"

    def mean(sum_of: str, count_of: str) -> str:
        return f"(CASE WHEN {count_of} > 0 THEN {scaled(once(divided, unscaled(sum_of), count_of), kind)} END)"

    return Value(once(mean, total, number), kind)
