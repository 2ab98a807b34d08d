"""Documents that a statement casts: those that fit are values of the type, as Iceberg reads them; the others are bad rows."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest

from shared_metadata.errors import RowError
from shared_metadata.program import BadRows, Column
from slices.collect.postgres.nested import document_type
from slices.collect.postgres.tests.database import Database
from tests.conformance.collect import Collecting

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    'struct<a: int, "b c": list<string>>': (
        {
            '{"a": 1, "b c": ["x", null]}': {"a": 1, "b c": ["x", None]},
            '{"a": 3.0}': {"a": 3, "b c": None},
            '{"a": null, "z": {}}': {"a": None, "b c": None},
            "{}": {"a": None, "b c": None},
            "null": None,
        },
        ['{"a": 1.5}', '{"a": "1"}', '{"a": 2147483648}', '{"b c": [1]}', '{"b c": "x"}', "[]", '"x"', "1", '{"a": true}'],
    ),
    "map<string, long>": (
        {'{"k": 9007199254740993, "": -1}': [("", -1), ("k", 9007199254740993)], "{}": [], '{"k": null}': [("k", None)]},
        ['{"k": 9223372036854775808}', '{"k": [1]}', "[1]", '{"k": 0.5}'],
    ),
    "list<double>": ({"[1, 2.5, null]": [1.0, 2.5, None], "[]": [], "[1e308]": [1e308]}, [f"[1{'0' * 309}]", '["x"]', "{}", "[[1]]"]),
    "list<struct<ok: boolean, m: map<string, list<int>>>>": (
        {'[{"ok": true, "m": {"x": [1]}}, null]': [{"ok": True, "m": [("x", [1])]}, None]},
        ['[{"ok": 1}]', '[{"m": {"x": [1.5]}}]', '[{"m": {"x": {}}}]'],
    ),
    'struct<"it\'s": string, "say ""hi""": double>': (
        {'{"it\'s": "o\'k", "say \\"hi\\"": 1}': {"it's": "o'k", 'say "hi"': 1.0}},
        ['{"it\'s": 1}'],
    ),
}


@pytest.mark.budget(60)
@pytest.mark.parametrize("kind", CASES)
def test_a_document_is_a_value_of_its_type_or_a_bad_row(collecting: Collecting, database: Database, kind: str) -> None:
    good, bad = CASES[kind]
    rows = [(0, None), *enumerate([*good, *bad], 1)]
    database.run("CREATE TABLE documents (id int, v jsonb)")
    for number, document in rows:
        database.run("INSERT INTO documents VALUES (%s, %s)", (number, document))
    how = {"columns": (Column("id", "id"), Column("v", "v")), "casts": {"v": kind}}
    collecting.collect("public.documents", incremental=False, **how)
    error = collecting.run(record_errors=True).errors[collecting.dataset]
    assert isinstance(error, RowError) and f"v ({kind}) cannot hold a value" in str(error)
    collecting.cloud.clock.advance(hours=1)
    collecting.collect("public.documents", incremental=False, bad_rows=BadRows(len(bad)), **how)
    collecting.run()
    found = {row["id"]: row["v"] for row in collecting.cloud.rows(collecting.dataset).select(["id", "v"]).to_pylist()}
    assert {number: _sorted(value) for number, value in found.items()} == {0: None} | dict(enumerate(good.values(), 1))
    rejected = {row["data"]["id"]: row["data"]["v"] for row in collecting.rejected()}
    assert rejected == {number: json.loads(text) for number, text in enumerate(bad, len(good) + 1)}


LIMITS = {"int": 2**31, "long": 2**63, "double": 2**60}
WRITTEN = ("{}", "{}.0", "{}.000", "{}0e-1", "{}00.0e-2", "{}e0")


@pytest.mark.budget(60)
@pytest.mark.parametrize("kind", LIMITS)
def test_a_number_is_read_as_it_is_however_it_is_written_or_is_a_bad_row(
    collecting: Collecting, database: Database, kind: str
) -> None:
    near = [0, 1, 7, 10, 100, 2**53 + 1, LIMITS[kind] - 1, LIMITS[kind], LIMITS[kind] + 1, 10**30]
    whole = {form.format(number) for n in near for number in (n, -n) for form in WRITTEN if n or "}0" not in form}
    texts = sorted(whole | {"0.5", "-1.05", "10.50", "1e-3", "1e-400", "-1e-400", "1e400", "5e-324"})
    database.run("CREATE TABLE documents (id int, v jsonb)")
    for number, text in enumerate(texts):
        database.run("INSERT INTO documents VALUES (%s, %s)", (number, f'{{"a": {text}, "1.0,": "2.0, \\" 3.0,"}}'))
    kinds = {"v": f'struct<a: {kind}, "1.0,": string>'}
    columns = (Column("id", "id"), Column("v", "v"))
    collecting.collect("public.documents", incremental=False, columns=columns, casts=kinds, bad_rows=BadRows(len(texts)))
    collecting.run()
    found = {row["id"]: row["v"] for row in collecting.cloud.rows(collecting.dataset).select(["id", "v"]).to_pylist()}
    assert {value["1.0,"] for value in found.values()} == {'2.0, " 3.0,'}
    assert {texts[number]: value["a"] for number, value in found.items()} == {
        text: value for text in texts if (value := _as_kind(Decimal(text), kind)) is not None
    }


def _as_kind(number: Decimal, kind: str) -> int | float | None:
    """The value of the kind; None for one that it cannot hold."""
    if kind == "double":
        value = float(number)
        return None if math.isinf(value) or (value == 0 and number != 0) else value
    fits = number == number.to_integral_value() and -LIMITS[kind] <= number < LIMITS[kind]
    return int(number) if fits else None


def _sorted(value: Any) -> Any:
    """Maps have no order, and come as pairs."""
    if isinstance(value, list):
        return sorted(value) if value and all(isinstance(part, tuple) for part in value) else [_sorted(part) for part in value]
    return value


def test_what_a_document_cannot_have_is_no_type_of_one() -> None:
    assert document_type("struct<a: date>") is None and document_type("map<int, int>") is None
