"""What all dialects with forms write alike, and mean alike; which of them does not, says so in its own forms."""

from __future__ import annotations

from collections.abc import Mapping

_COMPARED = {"equal": "=", "unequal": "<>", "less": "<", "most": "<=", "more": ">", "least": ">="}
_COMPARABLE = ("X, X", "A, same", "date, timestamp", "timestamp, date")
_SIGNS = {"plus": "+", "minus": "-", "times": "*"}
ALIKE: Mapping[str, str] = {
    **{f"{name}({parts})": f"_1 {sign} _2" for name, sign in _COMPARED.items() for parts in _COMPARABLE},
    **{f"{name}(F, number)": f"_1 {_COMPARED[name]} _2" for name in ("equal", "unequal", "less", "most")},
    "between(F, number, number)": "_1 BETWEEN _2 AND _3",
    **{f"distinct({parts})": "_1 IS DISTINCT FROM _2" for parts in ("X, X", "A, same")},
    **{f"not_distinct({parts})": "_1 IS NOT DISTINCT FROM _2" for parts in ("X, X", "A, same")},
    **{f"{name}({p})": f"_1 {sign} _2" for name, sign in _SIGNS.items() for p in ("X, X", "double, N", "N, double")},
    "negative(N)": "-_1",
    "remainder(W, W)": "_1 % _2",
    "moved(timestamp, days)": "_1 + _2",
    "moved(timestamp, months)": "_1 + _2",
    "moved(timestamp, times)": "_1 + _2",
    "moved_back(timestamp, days)": "_1 - _2",
    "moved_back(timestamp, months)": "_1 - _2",
    "moved_back(timestamp, times)": "_1 - _2",
    # texts
    "joined(string, string)": "_1 || _2",
    "like(string, like)": "_1 LIKE _2",
    "unlike(string, like)": "_1 NOT LIKE _2",
    "length(string)": "length(_1)",
    "lower(string)": "lower(_1)",
    "replaced(string, word, text)": "replace(_1, _2, _3)",
    "from(string, 1+)": "substr(_1, _2)",
    "part(string, 1+, 0+)": "substr(_1, _2, _3)",
    "padded_left(string, 0+, word)": "lpad(_1, _2, _3)",
    "padded_right(string, 0+, word)": "rpad(_1, _2, _3)",
    "begins(string, text)": "starts_with(_1, _2)",
    # numbers
    "absolute(N)": "abs(_1)",
    "root(double)": "sqrt(_1)",
    "rounded(double)": "round(_1)",
    "floor(double)": "floor(_1)",
    "ceiling(double)": "ceil(_1)",
    # what may be missing
    "null_if(X, X)": "nullif(_1, _2)",
    "null_if(A, same)": "nullif(_1, _2)",
    # moments
    "truncated(unit, timestamp)": "date_trunc(_1, _2)",
    "truncated(unit, timestamptz)": "date_trunc(_1, _2)",
    **{f"{name}(Z)": f"{name}(_1)" for name in ("year", "quarter", "month", "day")},
    **{f"{name}({kind})": f"{name}(_1)" for name in ("hour", "minute", "second") for kind in ("timestamp", "timestamptz")},
    # over rows
    "rows()": "count(*)",
    "count(any)": "count(_1)",
    "different(A)": "count(DISTINCT _1)",
    "sum(X)": "sum(_1)",
    "sum(double)": "sum(_1)",
    "mean(int)": "avg(_1)",
    "mean(double)": "avg(_1)",
    "minimum(A)": "min(_1)",
    "maximum(A)": "max(_1)",
    "all(boolean)": "bool_and(_1)",
    "any(boolean)": "bool_or(_1)",
    "count_true(boolean)": "count_if(_1)",
    **{f"{name}(double)": f"{name}(_1)" for name in ("stddev_samp", "stddev_pop", "var_samp", "var_pop")},
    # over windows
    **{f"{name}()": f"{name}()" for name in ("row_number", "rank", "dense_rank")},
    **{f"{name}({parts})": f"{name}({words})" for name in ("lag", "lead") for parts, words in (("any", "_1"), ("any, 0+", "_1, _2"))},
    **{f"{name}(any)": f"{name}(_1)" for name in ("first_value", "last_value")},
}
WINDOWED = frozenset(("row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value"))
# Type ▸ those that a CAST makes of it alike.
CASTS: Mapping[str, tuple[str, ...]] = {
    "int": ("int", "long", "decimal", "double", "string"),
    "long": ("int", "long", "decimal", "double", "string"),
    "decimal": ("decimal", "double"),
    "float": ("float", "double"),
    "double": ("double",),
    "string": ("string",),
    "boolean": ("boolean", "int", "long"),
    "date": ("date", "timestamp", "string"),
    "timestamp": ("timestamp", "date"),
    "timestamptz": ("timestamptz",),
}
