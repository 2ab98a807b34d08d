"""What each transformation makes of a record; test_oracle compares them with airbyte-cdk's over oracle/source_shaping."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from systems.rest.transformations import snake_case
from tests.systems.rest.reading import Reading, answer, stream

RECORD = {"id": 1, "Item No": 2, "place": {"id": 3, "itemName": "x", "in": {"deep": [4, {"w": 5}]}}, "other": {"a": 6}, "none": {}}
LIFTS = {"type": "DpathFlattenFields"}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"type": "FlattenFields"}, {"id": 1, "Item No": 2, "itemName": "x", "deep.0": 4, "deep.1.w": 5, "a": 6}),
        ({"type": "FlattenFields", "flatten_lists": False}, {"id": 1, "Item No": 2, "itemName": "x", "deep": [4, {"w": 5}], "a": 6}),
        (
            {"type": "KeysReplace", "old": "{{ config['old'] }}", "new": "_"},
            {**{k: v for k, v in RECORD.items() if k != "Item No"}, "Item_No": 2},
        ),
        (
            {"type": "KeysToSnakeCase"},
            {
                "id": 1,
                "item_no": 2,
                "place": {"id": 3, "item_name": "x", "in": {"deep": [4, {"w": 5}]}},
                "other": {"a": 6},
                "none": {},
            },
        ),
        ({**LIFTS, "field_path": ["other"]}, {**RECORD, "a": 6}),
        (
            {**LIFTS, "field_path": ["other"], "delete_origin_value": True},
            {**{k: v for k, v in RECORD.items() if k != "other"}, "a": 6},
        ),
        ({**LIFTS, "field_path": ["place"], "delete_origin_value": True}, RECORD),
        (
            {**LIFTS, "field_path": ["place"], "key_transformation": {"type": "KeyTransformation", "prefix": "p_"}},
            {**RECORD, "p_id": 3, "p_itemName": "x", "p_in": {"deep": [4, {"w": 5}]}},
        ),
        ({**LIFTS, "field_path": ["*", "in"], "replace_record": True}, {"deep": [4, {"w": 5}]}),
        ({**LIFTS, "field_path": ["none"], "replace_record": True}, RECORD),
        ({**LIFTS, "field_path": ["id"], "replace_record": True}, RECORD),
    ],
)
def test_a_record_is_made_of_a_record(step: dict[str, Any], expected: dict[str, Any]) -> None:
    reading = Reading(stream(transformations=[step]), lambda _: answer([copy.deepcopy(RECORD)]), old=" ")
    assert reading.records() == [expected]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("camelCase", "camel_case"),
        ("HTTPStatus2", "httpstatus_2"),
        ("2ndPlace", "_2_nd_place"),
        ("Größe (cm)", "gro_e_cm_"),
        ("Égalité", "egalite"),
        ("", ""),
    ],
)
def test_a_key_becomes_words(key: str, expected: str) -> None:
    assert snake_case(key) == expected
