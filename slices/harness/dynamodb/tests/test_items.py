"""Values become what DynamoDB has for them, without loss, or a reason why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared_metadata.program.type_names import parsed
from slices.harness.dynamodb.items import Unfit, attribute, check_item, item_of, size_of

KEY = {"id": "S", "at": "N"}
NESTED = 'struct<a: int, "b c": map<string, list<timestamptz>>>'


@pytest.mark.parametrize(
    ("kind", "told", "item"),
    [
        ("long", 2**63 - 1, {"N": "9223372036854775807"}),
        ("decimal(38,0)", "9" * 38, {"N": "9" * 38}),
        ("decimal(38,10)", "12.5000000000", {"N": "12.5"}),
        ("double", 1e-7, {"N": "1E-7"}),
        ("boolean", False, {"BOOL": False}),
        ("binary", "\\x00ff", {"B": b"\x00\xff"}),
        ("date", "0001-01-01", {"S": "0001-01-01"}),
        ("time", "23:59:59.999999", {"S": "23:59:59.999999"}),
        ("timestamp", "2026-01-01 00:00:00.000001", {"S": "2026-01-01T00:00:00.000001"}),
        ("timestamptz", "2026-01-01 00:00:00+00", {"S": "2026-01-01T00:00:00Z"}),
        ("string", "NaN", {"S": "NaN"}),
        ("list<int>", [1, None], {"L": [{"N": "1"}, {"NULL": True}]}),
        (
            NESTED,
            {"a": 1, "b c": {"k": ["2026-01-01 00:00:00+00"]}},
            {"M": {"a": {"N": "1"}, "b c": {"M": {"k": {"L": [{"S": "2026-01-01T00:00:00Z"}]}}}}},
        ),
    ],
)
def test_a_value_is_kept_as_its_type_asks(kind: str, told: Any, item: Any) -> None:
    assert item_of(json.dumps({"x": told, "none": None}), {"x": kind, "none": kind}) == {"x": item}


@pytest.mark.parametrize(
    ("kind", "told", "why"),
    [
        ("double", "NaN", "NaN or infinite"),
        ("double", "-Infinity", "NaN or infinite"),
        ("double", 1e126, r"smaller or larger .* 1E-130 to 9\.99E\+125"),
        ("double", 1e-131, "smaller or larger"),
        ("timestamp", "infinity", "no moment"),
        ("timestamptz", "0044-03-15 (BC) 00:00:00+00", "no moment"),
        ("list<double>", [1.5, "Infinity"], "NaN or infinite"),
    ],
)
def test_what_dynamodb_has_no_place_for_is_refused_by_its_column_and_not_shown(kind: str, told: Any, why: str) -> None:
    with pytest.raises(Unfit, match=f"^`x` .*{why}") as caught:
        item_of(json.dumps({"x": told}), {"x": kind})
    assert json.dumps(told) not in str(caught.value)


def test_what_is_nested_too_deep_is_refused() -> None:
    kind, told = "int", "1"
    for _ in range(32):
        kind, told = f"list<{kind}>", f"[{told}]"
    with pytest.raises(Unfit, match="more than 32 levels"):
        attribute(json.loads(told), parsed(kind))
    assert attribute(json.loads(told)[0], parsed(kind[5:-1]))


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"id": {"S": ""}, "at": {"N": "1"}}, "`id` is a part of the key, and is empty"),
        ({"id": {"S": "a"}}, "`at` is a part of the key"),
        ({"id": {"N": "1"}, "at": {"N": "1"}}, "`id` is a part of the key"),
        ({"id": {"S": "é" * 1025}, "at": {"N": "1"}}, "more than 2,048 bytes"),
        ({"id": {"S": "a"}, "at": {"N": "1"}, "x": {"S": "x" * 400 * 1024}}, "more than 400 KB"),
    ],
)
def test_what_no_item_is_is_refused(item: Any, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        check_item(item, KEY)


def test_an_item_of_400_kb_is_one() -> None:
    item = {"id": {"S": "a"}, "at": {"N": "1"}, "x": {"S": ""}}
    left = 400 * 1024 - sum(len(name) + size_of(value) for name, value in item.items())
    check_item({**item, "x": {"S": "x" * left}}, KEY)
    with pytest.raises(Unfit):
        check_item({**item, "x": {"S": "x" * (left + 1)}}, KEY)
