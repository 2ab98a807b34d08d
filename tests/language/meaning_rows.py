"""Rows over which each form of a meaning is computed: for each type those values at which engines are known to differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from math import inf, nan
from typing import Any

from language.sql.meanings.forms import forms_of
from language.sql.meanings.kinds import is_constant
from shared_metadata.program.schema import SchemaColumn

DEC = "decimal(12,2)"
VALUES: Mapping[str, Sequence[Any]] = {
    "int": (None, 0, 1, -1, 7, -7, 2, -(2**31), 2**31 - 1),
    "long": (None, 0, 1, -1, 7, -7, 3, -(2**63), 2**63 - 1),
    DEC: tuple(
        None if v is None else Decimal(v)
        for v in (None, "0", "0.50", "1.50", "2.50", "-0.50", "-1.25", "9999999999.99", "-9999999999.99")
    ),
    "float": (None, 0.0, -0.0, 1.5, -2.5, nan, inf, -inf),
    "double": (
        None,
        0.0,
        -0.0,
        1.5,
        2.5,
        -2.5,
        0.5,
        -0.5,
        0.49999999999999994,
        nan,
        inf,
        -inf,
        1.7976931348623157e308,
        5e-324,
        123456789.125,
        1.005,
        -2.675,
        1000000000000000.3,
    ),
    "boolean": (None, True, False),
    "string": (
        *(
            None,
            "",
            " ",
            "a",
            "A",
            "ab",
            "b",
            "aXb",
            "äÖß",
            "ÅNGSTRÖM",
            "%",
            "_",
            "a%",
            "a\\b",
            "x,y,,z",
            ",",
            " x ",
            "\t",
            "xx",
            "a\nb",
        ),
        *("日本語", "\U0001f600x", "e\u0301", "0", "-1", "1.0", "'", '"', "İ", "ΣΑΣ", "ﬁ", "a_b", "xyz", "O'Brien \\"),
    ),
    "date": tuple(
        None if v is None else date(*v)
        for v in (
            None,
            (1970, 1, 1),
            (2024, 2, 29),
            (2024, 12, 30),
            (2023, 1, 1),
            (2024, 1, 31),
            (1969, 12, 31),
            (1, 1, 1),
            (9999, 12, 31),
        )
    ),
    "timestamp": tuple(
        None if v is None else datetime(*v)
        for v in (
            None,
            (1970, 1, 1),
            (2024, 2, 29, 23, 59, 59, 999999),
            (2024, 12, 30, 0, 0, 0, 1),
            (1969, 12, 31, 23, 59, 59, 500000),
            (2024, 1, 31, 12),
            (2023, 1, 1),
            (2200, 3, 31, 1, 2, 3),
            (1900, 1, 1),
        )
    ),
    "timestamptz": tuple(
        None if v is None else datetime(*v, tzinfo=UTC)
        for v in (
            None,
            (1970, 1, 1),
            (2024, 2, 29, 23, 59, 59, 999999),
            (1969, 12, 31, 23, 59, 59, 500000),
            (2024, 3, 31, 1, 30),
            (2024, 1, 31, 12),
        )
    ),
}
# The types of each word of a form's parts, and constants.
TYPES: Mapping[str, Sequence[str]] = {
    **{
        "W": ("int", "long"),
        "X": ("int", "long", DEC),
        "N": ("int", DEC, "double"),
        "F": ("float", "double"),
        "M": ("date", "timestamp"),
    },
    **{"A": ("long", DEC, "string", "boolean", "date", "timestamp", "timestamptz"), "Z": ("date", "timestamp", "timestamptz")},
    **{"any": ("long", "string", "double"), "decimal": (DEC,)},
}
CONSTANTS: Mapping[str, Sequence[str]] = {
    **{
        "text": ("''", "'a'", "'''x'"),
        "word": ("'a'", "','", "'xx'"),
        "like": ("'a%'", "'_b'", "'%'", "''", "'%''%'"),
        "number": ("1.5", "0", "-2"),
    },
    **{
        "unit": ("'year'", "'quarter'", "'month'", "'week'", "'day'", "'hour'", "'minute'", "'second'"),
        "date_unit": ("'year'", "'quarter'", "'month'", "'week'", "'day'"),
        "1+": ("1", "2", "5"),
        "0+": ("0", "1", "4"),
    },
    **{"days": ("INTERVAL '1' DAY", "INTERVAL '400' DAY"), "months": ("INTERVAL '1' MONTH", "INTERVAL '1' YEAR")},
    **{"times": ("INTERVAL '1' HOUR", "INTERVAL '90' MINUTE", "INTERVAL '1' SECOND")},
}
GROUPS = 3


def cases(source: str, target: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each meaning that both have, by each of its forms in the source: its name, the form with its constants, its columns' types."""
    here, there = forms_of(source), forms_of(target)
    for meaning, forms in here.forms.items():
        if meaning not in there.forms:
            continue
        for form in forms:
            for kinds in typings(form.parts):
                columns = tuple(kind for word, kind in zip(form.parts, kinds, strict=True) if not is_constant(word))
                text, number = form.text, 0
                places = {}
                for place, (word, kind) in enumerate(zip(form.parts, kinds, strict=True), 1):
                    number += not is_constant(word)
                    places[f"_{place}"] = kind if is_constant(word) else f"p{number}"
                for place, written in places.items():
                    text = text.replace(place, written)
                yield meaning, text, columns


def typings(parts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    choices = [CONSTANTS[word] if is_constant(word) else TYPES.get(word, (word,)) for word in parts if word != "same"]
    for found in product(*choices):
        yield (*found, *found[:1]) if "same" in parts else found


def rows(kinds: Sequence[str]) -> list[tuple[Any, ...]]:
    """id, group, and a column for each of the types."""
    return [(number, number % GROUPS, *values) for number, values in enumerate(product(*(VALUES[kind] for kind in kinds)), 1)]


def columns(kinds: Sequence[str]) -> tuple[SchemaColumn, ...]:
    named = (SchemaColumn(f"p{number}", kind) for number, kind in enumerate(kinds, 1))
    return (SchemaColumn("id", "long"), SchemaColumn("g", "long"), *named)


def table(kinds: Sequence[str]) -> str:
    """A name in a FROM clause that is that of its columns' types."""
    return "lake.t." + "_".join(("some_rows", *(kind.partition("(")[0] for kind in kinds)))
