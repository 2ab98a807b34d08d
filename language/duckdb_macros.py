"""What DuckDB's macros return: its catalogue does not say. Those not named here have no type until they are CAST to one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from language.duckdb_kinds import INTEGERS, LISTS, MOST_DIGITS, T, Type, array, build, decimal, kind_of, sizes

_RETURNS: dict[exp.DType, str] = {
    T.BIGINT: "list_count list_approx_count_distinct datepart generate_subscripts days_in_month",
    T.DOUBLE: "list_avg list_var_pop list_var_samp list_stddev_pop list_stddev_samp list_sem list_skewness list_kurtosis "
    "list_kurtosis_pop list_entropy list_product geomean geometric_mean fmod fdiv wavg weighted_avg",
    T.TEXT: "list_string_agg array_to_string array_to_string_comma_default split_part current_catalog current_schema current_user",
    T.BOOLEAN: "list_bool_and list_bool_or map_contains_entry map_contains_value",
    T.TIMESTAMPTZ: "now get_current_timestamp transaction_timestamp ago",
    T.INTERVAL: "age",
    T.TIMESTAMP: "current_localtimestamp",
    T.UBIGINT: "hash md5_number_lower md5_number_upper",
    T.JSON: "json json_group_array json_group_object",
}
_ELEMENT = "list_first list_last list_min list_max list_any_value list_mode list_bit_and list_bit_or list_bit_xor"
_SAME = "list_reverse array_reverse array_pop_back array_pop_front round_even roundbankers list_slice array_slice"
_GROWN = "list_append array_append array_push_back"
_RETURNED = {name: kind for kind, names in _RETURNS.items() for name in names.split()}
_ELEMENTS, _SAMES, _GROWNS = (frozenset(names.split()) for names in (_ELEMENT, _SAME, _GROWN))


def returned_by_macro(name: str, arguments: Sequence[exp.Expr]) -> Type:
    """None where it depends on more than is known here."""
    if name == "date_part" and arguments:
        seconds = isinstance(arguments[0], exp.Literal) and arguments[0].name.lower() in ("epoch", "julian")
        return build(T.DOUBLE if seconds else T.BIGINT)
    if name in _RETURNED:
        return build(_RETURNED[name])
    given = arguments[0].type if arguments else None
    if name in _SAMES:
        return given
    if given is None or given.this not in LISTS or not given.expressions:
        return None
    element: exp.DataType = given.expressions[0]
    if name in _ELEMENTS:
        return element
    if name in _GROWNS and len(arguments) == 2 and element.this in (kind_of(arguments[1]), T.BIGINT):
        return array(element)
    if name == "list_sum":
        return _summed(element)
    return None


def _summed(element: exp.DataType) -> Type:
    if element.this == T.DECIMAL:
        return decimal(MOST_DIGITS, sizes(element)[1])
    return build(T.INT128) if element.this in INTEGERS else build(T.DOUBLE) if element.this in (T.FLOAT, T.DOUBLE) else None
