"""Floating numbers: where NaN stands among others, and how they round to digits, differs between engines."""

from __future__ import annotations

from collections.abc import Mapping

_SIGNS = {"equal": "=", "unequal": "<>", "less": "<", "most": "<=", "more": ">", "least": ">="}
_LARGE = ("more", "least")
_PARTS = ("F, N", "N, F")
_NUMBERS = "isnan(CAST(_1 AS DOUBLE))", "isnan(CAST(_2 AS DOUBLE))"


DIGITS = range(1, 7)


def rounded_as_multiplied() -> dict[str, tuple[str, ...]]:
    """Rounding to digits by an engine that multiplies, rounds and divides: 1.005 becomes 1.0, where others make 1.01 of it."""
    return {
        f"rounded_to_{digits}(double)": (f"CASE WHEN abs(_1) < 1e300 THEN round(_1 * 1e{digits}) / 1e{digits} ELSE _1 END",)
        for digits in DIGITS
    }


def _all(texts: Mapping[str, str], name: str) -> dict[str, tuple[str, ...]]:
    return {f"{meaning}_{name}({parts})": (text,) for meaning, text in texts.items() for parts in _PARTS}


def greatest() -> dict[str, tuple[str, ...]]:
    """The forms of an engine in which NaN is the greatest number, and which has `isnan`."""
    one, other = _NUMBERS
    none = {name: f"_1 {sign} _2 AND NOT {one} AND NOT {other}" for name, sign in _SIGNS.items()} | {"unequal": f"_1 <> _2 OR {one}"}
    there = {name: f"CASE WHEN _1 IS NOT NULL AND _2 IS NOT NULL THEN {text} END" for name, text in none.items()}
    native = {name: f"_1 {sign} _2" for name, sign in _SIGNS.items()}
    with_number = {f"{name}_with_nan(F, number)": (native[name],) for name in _LARGE}
    without = {f"{name}_without_nan(F, number)": (f"({native[name]} AND NOT {one})",) for name in _LARGE}
    return {**_all(native, "with_nan"), **_all(there, "without_nan"), **with_number, **without}


def none() -> dict[str, tuple[str, ...]]:
    """The forms of an engine in which NaN is not comparable, and which has `is_nan`."""
    both = {
        "equal": "(_1 = _2 OR (is_nan(_1) AND is_nan(_2)))",
        "unequal": "NOT (_1 = _2 OR (is_nan(_1) AND is_nan(_2)))",
        "less": "(_1 < _2 OR (is_nan(_2) AND NOT is_nan(_1)))",
        "most": "(_1 <= _2 OR (is_nan(_2) AND _1 IS NOT NULL))",
        "more": "(_1 > _2 OR (is_nan(_1) AND NOT is_nan(_2)))",
        "least": "(_1 >= _2 OR (is_nan(_1) AND _2 IS NOT NULL))",
    }
    native = {name: f"_1 {sign} _2" for name, sign in _SIGNS.items()}
    without = {f"{name}_without_nan(F, number)": (native[name],) for name in _LARGE}
    with_number = {f"{name}_with_nan(F, number)": (f"({native[name]} OR is_nan(_1))",) for name in _LARGE}
    return {**_all(native, "without_nan"), **_all(both, "with_nan"), **with_number, **without}
