"""Floating numbers: where NaN stands among others, and how they round to digits, differs between engines."""

from __future__ import annotations

from collections.abc import Mapping

_SIGNS = {"equal": "=", "unequal": "<>", "less": "<", "most": "<=", "more": ">", "least": ">="}
_LARGE = ("more", "least")
_PARTS = ("F, N", "N, F")


DIGITS = range(1, 7)


def rounded_as_multiplied() -> dict[str, tuple[str, ...]]:
    """Rounding to digits by an engine that multiplies, rounds and divides: 1.005 becomes 1.0, where others make 1.01 of it."""
    return {
        f"rounded_to_{digits}(double)": (f"CASE WHEN abs(_1) < 1e300 THEN round(_1 * 1e{digits}) / 1e{digits} ELSE _1 END",)
        for digits in DIGITS
    }


def rounded_from_floor() -> dict[str, tuple[str, ...]]:
    """The same, and to whole numbers, for an engine whose ROUND may take halves to what is even: whole numbers are made by `floor`.

    A number from 10^18 on has no digits.
    """
    found: dict[str, tuple[str, ...]] = {"rounded(double)": (_from_floor("abs(_1)"),)}
    for digits in DIGITS:
        most = f"CASE WHEN abs(_1) < {10**18} THEN {_from_floor(f'(abs(_1) * {10**digits})')} / {10**digits} ELSE _1 END"
        found[f"rounded_to_{digits}(double)"] = (most,)
    return found


def _from_floor(size: str) -> str:
    """_1 as a whole number, of the size that it has without its sign."""
    up = f"CASE WHEN {size} - floor({size}) >= 0.5 THEN 1 ELSE 0 END"
    return f"CASE WHEN _1 < 0 THEN -1 ELSE 1 END * (floor({size}) + {up})"


def _all(texts: Mapping[str, str], name: str) -> dict[str, tuple[str, ...]]:
    return {f"{meaning}_{name}({parts})": (text,) for meaning, text in texts.items() for parts in _PARTS}


def greatest(isnan: str = "isnan(CAST({} AS DOUBLE))") -> dict[str, tuple[str, ...]]:
    """The forms of an engine in which NaN is the greatest number.  isnan: how it asks for one."""
    one, other = isnan.format("_1"), isnan.format("_2")
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
