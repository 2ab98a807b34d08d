"""Names of types: whatever is nested is read back as it was written, and is wide enough for both of which it is made."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_metadata.contract.evolution import evolution
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import PRIMITIVES, TypeName, list_of, map_of, parsed, struct_of
from shared_metadata.program.type_widening import widened

NAMES = st.text(min_size=1, max_size=5) | st.sampled_from(
    ["a", "b", "value", 'quo"te', "a b", "x: int, y", "list<int>", "größe", "1st"]
)
ATOMS = st.sampled_from([TypeName(word) for word in sorted(PRIMITIVES)]) | st.builds(
    lambda precision, scale: TypeName("decimal", sizes=(precision, min(precision, scale))), st.integers(1, 38), st.integers(0, 38)
)


def _struct(parts: list[tuple[str, TypeName]]) -> TypeName:
    return struct_of(tuple({name.lower(): (name, part) for name, part in parts}.values()))


TYPES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(list_of, inner),
        st.builds(map_of, ATOMS, inner),
        st.builds(_struct, st.lists(st.tuples(NAMES, inner), min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


@given(TYPES)
def test_a_name_is_read_as_what_it_was_written_from(kind: TypeName) -> None:
    assert parsed(str(kind)) == kind


@given(TYPES, TYPES)
def test_what_holds_both_holds_each_whichever_comes_first(one: TypeName, other: TypeName) -> None:
    wide = widened(str(one), str(other))
    turned = widened(str(other), str(one))
    assert (wide is None) == (turned is None)
    if wide and turned:
        assert widened(wide, turned) == turned and widened(wide, str(one)) == wide and widened(wide, str(other)) == wide


@pytest.mark.parametrize(
    "text",
    ["", "integer", "list<int", "list<int>>", "map<int>", "struct<>", "struct<a>", "struct<a: int, A: int>", 'struct<"": int>',
     "decimal(1)", "decimal(a,b)", "list<int> x", "struct<a: int b: int>"],
)  # fmt: skip
def test_what_is_no_name_of_a_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"type|struct|int"):
        parsed(text)


@pytest.mark.parametrize(
    ("former", "new", "expected"),
    [
        ("list<int>", "list<long>", "list<long>"),
        ("struct<a: int>", "struct<b: date, a: long>", "struct<b: date, a: long>"),
        ("struct<a: int, b: date>", "struct<c: date, a: int>", "struct<a: int, b: date, c: date>"),
        ("struct<a: int, b: date>", "struct<a: int>", "struct<a: int, b: date>"),
        ("struct<a: int, b: date>", "struct<b: date, a: int>", "struct<b: date, a: int>"),
        ("map<string, struct<v: float>>", "map<string, struct<v: double>>", "map<string, struct<v: double>>"),
        ("map<int, string>", "map<long, string>", None),  # Iceberg changes no key
        ("struct<a: int>", "struct<a: string>", None),
        ("struct<a: int>", "struct<A: int>", None),  # engines that look at no case would find two
        ("list<int>", "int", None),
        ("of no type", "int", None),
    ],
)
def test_nested_types_widen_by_what_is_in_them(former: str, new: str, expected: str | None) -> None:
    assert widened(former, new) == expected


@pytest.mark.parametrize(("former", "new"), [("int", "long"), ("float", "double"), ("decimal(5,2)", "decimal(9,2)")])
def test_a_column_becomes_no_wider_than_its_warehouse_declares(former: str, new: str) -> None:
    """By itself, and where it is nested."""
    pair = (former.partition("(")[0], new.partition("(")[0])
    for one, other in ((former, new), (f"list<{former}>", f"list<{new}>"), (f"struct<a: {former}>", f"struct<a: {new}>")):
        assert widened(one, other, (pair,)) == widened(other, one, (pair,)) == other
        assert widened(one, other, ()) is None
    known, rows = (SchemaColumn("x", former),), (SchemaColumn("x", new),)
    assert evolution(known, rows, "lake.a.b", place="", widens=(pair,)) == {"x": new}
    with pytest.raises(DefinitionError, match=re.escape(f"is {former} and would become {new}")):
        evolution(known, rows, "lake.a.b", place="", widens=())
