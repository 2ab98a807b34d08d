"""Which of DuckDB's functions a node of sqlglot's stands for, and which of its parts are the arguments, in DuckDB's order."""

from __future__ import annotations

from sqlglot import exp

from language.functions import functions

_THIS = (
    "upper lower reverse length ascii unicode md5 sqrt exp ln cbrt sin cos tan asin acos atan sinh cosh tanh cot degrees "
    "radians sign abs factorial year month day hour minute second quarter week dayofyear dayname monthname last_day epoch "
    "mode kurtosis skewness hex unhex to_base64 from_base64 isnan isinf sum avg median bit_and bit_or bit_xor bool_and "
    "bool_or count_if approx_count_distinct stddev stddev_pop stddev_samp var_pop variance flatten map_keys map_values "
    "to_days jaccard atanh asinh acosh list_distinct list_max list_min list_sum list_first list_last list_reverse to_hours "
    "to_minutes to_seconds to_months to_years any_value first last "
)
_CLASSES: dict[str, type[exp.Expr]] = {
    "md5": exp.MD5,
    "dayofyear": exp.DayOfYear,
    "epoch": exp.TimeToUnix,
    "to_base64": exp.ToBase64,
    "from_base64": exp.FromBase64,
    "isnan": exp.IsNan,
    "isinf": exp.IsInf,
    "bit_and": exp.BitwiseAndAgg,
    "bit_or": exp.BitwiseOrAgg,
    "bit_xor": exp.BitwiseXorAgg,
    "bool_and": exp.LogicalAnd,
    "bool_or": exp.LogicalOr,
    "approx_count_distinct": exp.ApproxDistinct,
    "var_pop": exp.VariancePop,
    "list_distinct": exp.ArrayDistinct,
    "list_max": exp.ArrayMax,
    "list_min": exp.ArrayMin,
    "list_sum": exp.ArraySum,
    "list_first": exp.ArrayFirst,
    "list_last": exp.ArrayLast,
    "list_reverse": exp.ArrayReverse,
    "list_sort": exp.ArraySort,
}


def _class(name: str) -> type[exp.Expr] | None:
    found = _CLASSES.get(name) or getattr(exp, "".join(part.capitalize() for part in name.split("_")), None)
    return found if isinstance(found, type) and issubclass(found, exp.Expr) else None


CALLS: dict[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
    **{kind: (name, ("this",)) for name in _THIS.split() if (kind := _class(name)) is not None},
    exp.Substring: ("substring", ("this", "start", "length")),
    exp.Left: ("left", ("this", "expression")),
    exp.Right: ("right", ("this", "expression")),
    exp.Replace: ("replace", ("this", "expression", "replacement")),
    exp.SplitPart: ("split_part", ("this", "delimiter", "part_index")),
    exp.Split: ("string_split", ("this", "expression")),
    exp.RegexpReplace: ("regexp_replace", ("this", "expression", "replacement", "modifiers")),
    exp.RegexpLike: ("regexp_matches", ("this", "expression")),
    exp.RegexpExtract: ("regexp_extract", ("this", "expression", "group")),
    exp.StartsWith: ("starts_with", ("this", "expression")),
    exp.EndsWith: ("ends_with", ("this", "expression")),
    exp.StrPosition: ("instr", ("this", "substr")),
    exp.Levenshtein: ("levenshtein", ("this", "expression")),
    exp.JarowinklerSimilarity: ("jaro_winkler_similarity", ("this", "expression")),
    exp.Pad: ("lpad", ("this", "expression", "fill_pattern")),
    exp.Repeat: ("repeat", ("this", "times")),
    exp.Translate: ("translate", ("this", "from_", "to")),
    exp.Trim: ("trim", ("this", "expression")),
    exp.Pow: ("pow", ("this", "expression")),
    exp.Atan2: ("atan2", ("this", "expression")),
    exp.BitwiseAnd: ("&", ("this", "expression")),
    exp.BitwiseOr: ("|", ("this", "expression")),
    exp.BitwiseXor: ("xor", ("this", "expression")),
    exp.BitwiseLeftShift: ("<<", ("this", "expression")),
    exp.BitwiseRightShift: (">>", ("this", "expression")),
    exp.BitwiseNot: ("~", ("this",)),
    exp.DayOfWeek: ("dayofweek", ("this",)),
    exp.DayOfMonth: ("dayofmonth", ("this",)),
    exp.DayOfWeekIso: ("isodow", ("this",)),
    exp.DateFromParts: ("make_date", ("year", "month", "day")),
    exp.DateBin: ("time_bucket", ("this", "expression", "origin")),
    exp.Quantile: ("quantile", ("this", "quantile")),
    exp.ApproxQuantile: ("approx_quantile", ("this", "quantile")),
    exp.RegrSlope: ("regr_slope", ("this", "expression")),
    exp.WeekOfYear: ("weekofyear", ("this",)),
    exp.ArrayAppend: ("list_append", ("this", "expression")),
    exp.Corr: ("corr", ("this", "expression")),
    exp.CovarPop: ("covar_pop", ("this", "expression")),
    exp.CovarSamp: ("covar_samp", ("this", "expression")),
    exp.GroupConcat: ("string_agg", ("this", "separator")),
    exp.ArrayContains: ("list_contains", ("this", "expression")),
    exp.ArrayToString: ("array_to_string", ("this", "expression")),
    exp.ArraySize: ("len", ("this",)),
    exp.ArrayFilter: ("list_filter", ("this", "expression")),
    exp.ArraySort: ("list_sort", ("this",)),
    exp.Encode: ("encode", ("this",)),
    exp.Decode: ("decode", ("this",)),
    exp.SHA2: ("sha256", ("this",)),
    exp.SHA: ("sha1", ("this",)),
    exp.DateAdd: ("+", ("this", "expression")),
    exp.DateSub: ("-", ("this", "expression")),
}

_FORMS = frozenset(  # what DuckDB has under other names, or as syntax
    (
        *(exp.Cast, exp.TryCast, exp.Exists, exp.ToMap, exp.VarMap, exp.Struct, exp.Transform, exp.Try, exp.Collate, exp.JSONExists),
        *(exp.CosineDistance, exp.EuclideanDistance, exp.RegexpSplit, exp.CurrentTime, exp.Localtime, exp.Localtimestamp),
        *(exp.TimeFromParts, exp.TimestampFromParts, exp.ArrayOverlaps, exp.ArrayContainedBy, exp.ArrayAll, exp.ArrayAny),
        *(exp.JSONArray, exp.JSONObject, exp.ParseJSON, exp.CurrentVersion),
    )
)


def call(node: exp.Expr) -> tuple[str, list[exp.Expr]] | None:
    """The function's name and its arguments; None for a node that stands for no function of DuckDB's."""
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        return node.name.lower(), list(node.expressions)
    found = CALLS.get(type(node))
    if found is None:
        return None
    name, keys = found
    if isinstance(node, exp.Pad) and not node.args.get("is_left"):
        name = "rpad"
    elif isinstance(node, exp.Trim) and node.args.get("position"):
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args["position"]).upper(), name)
    return name, [value for key in keys if isinstance(value := node.args.get(key), exp.Expr)]


def unknown_function(node: exp.Func) -> str | None:
    """The name of a function that DuckDB does not have; None for one that it has, and for what is no function to it."""
    known = functions("duckdb")
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        return None if node.name.lower() in known else node.name.lower()
    names = [name.lower() for name in type(node).sql_names()] if type(node) not in CALLS and type(node) not in _FORMS else []
    return names[0] if names and not any(name in known for name in names) else None
