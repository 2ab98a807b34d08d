"""Fields of documents that a statement casts to structs, masked one by one: what is written of them, and that nothing else is."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from shared_metadata.program import BadRows, Column, Mask, Mode
from shared_metadata.program.masks import by_name
from shared_metadata.program.type_names import parsed, spelled, struct_of
from slices.collect.postgres.tests.database import Database
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud
from tests.conformance.masking import KEY, everything_stored, hashed

ODD = (
    "e.mail",
    "it's",
    'say "hi"',
    "ünï 東京",
    "select",
    "a-b",
    "c0",
    "q",
    "key",
    "atoll_inner",
    " ",
    "x" * 80,
    "$1",
    "{",
    "\\",
    "%s",
)
STRING = parsed("string")


def collect(collecting: Collecting, casts: dict[str, str], masks: dict[tuple[str, ...], Mask], **how: Any) -> None:
    """Every row of the table `people`, with its documents cast."""
    collecting.cloud.put_secret("mask", {"key": KEY})
    columns = (Column("id", "id"), *(Column(name, spelled([name])) for name in casts))
    masked = {"casts": casts, "masks": by_name(masks), "mask_key": "mask"}
    collecting.collect("public.people", incremental=False, columns=columns, **masked, **how)


def rows(collecting: Collecting) -> dict[int, Any]:
    return {row["id"]: row for row in collecting.cloud.rows(collecting.dataset).to_pylist()}


def put(database: Database, *documents: Any, column: str = "profile") -> None:
    database.run(f"CREATE TABLE people (id int, {spelled([column])} jsonb)")
    for number, document in enumerate(documents):
        database.run("INSERT INTO people VALUES (%s, %s)", (number, None if document is None else json.dumps(document)))


def test_a_hashed_field_is_the_hash_of_its_text_and_a_dropped_one_is_not_there(collecting: Collecting, database: Database) -> None:
    person = {"email": "a@b.example", "born": 1980, "vip": True, "tags": ["x", "y"], "address": {"street": "Way 1", "city": "Bern"}}
    put(database, person, {"born": None, "address": None}, {"address": {"street": "Way 2"}}, None)
    kind = "struct<email: string, born: int, vip: boolean, tags: list<string>, address: struct<street: string, city: string>>"
    fields = dict.fromkeys((("email",), ("born",), ("vip",), ("tags",), ("address", "city")), Mask.HASH)
    collect(
        collecting, {"profile": kind}, {("profile", *path): how for path, how in {**fields, ("address", "street"): Mask.DROP}.items()}
    )
    collecting.run()
    found = {number: row["profile"] for number, row in rows(collecting).items()}
    texts = {"email": "a@b.example", "born": "1980", "vip": "true", "tags": "[x, y]"}
    assert found[0] == {**{name: hashed(text) for name, text in texts.items()}, "address": {"city": hashed("Bern")}}
    nothing = dict.fromkeys(texts)
    assert [found[n] for n in (1, 2, 3)] == [{**nothing, "address": None}, {**nothing, "address": {"city": None}}, None]
    latest = collecting.cloud.reader.latest_schema(collecting.dataset)
    written = "struct<email: string, born: string, vip: string, tags: string, address: struct<city: string>>"
    assert latest is not None and [c.type for c in latest.schema.columns if c.name == "profile"] == [written]


@pytest.mark.parametrize("column", ["profile", "we.ird", 'a "b"', "c1"])
def test_every_name_of_a_column_and_of_a_field_can_be_masked(collecting: Collecting, database: Database, column: str) -> None:
    inner = struct_of(tuple((name, STRING) for name in ODD))
    kind = struct_of((*((name, STRING) for name in ODD), ("inner", inner), ("clear", STRING)))
    document = {name: f"hidden {name}" for name in ODD}
    put(database, {**document, "inner": document, "clear": "clear"}, column=column)
    how = {name: (Mask.HASH, Mask.DROP)[number % 2] for number, name in enumerate(ODD)}
    collect(
        collecting,
        {column: str(kind)},
        {(column, *before, name): each for before in ((), ("inner",)) for name, each in how.items()},
    )
    collecting.run()
    expected = {name: hashed(f"hidden {name}") for name, each in how.items() if each == Mask.HASH}
    assert rows(collecting)[0][column] == {**expected, "inner": expected, "clear": "clear"}
    assert "hidden" not in everything_stored(collecting.cloud)


def test_no_object_no_record_and_no_log_holds_a_masked_fields_value(
    collecting: Collecting, database: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where the document is a bad row: then nobody knows where in it the field is."""
    caplog.set_level("DEBUG")
    secret, good = "canary-in-the-clear", {"email": "canary-in-the-clear", "gone": "canary-in-the-clear", "clear": "kept"}
    bad = [
        {**good, "clear": 1},
        [good],
        secret,
        {"email": [secret]},
        {"Email": secret, "clear": {}},
        {**good, "email": {"x": secret}},
    ]
    put(database, good, *bad)
    casts = {"profile": "struct<email: string, gone: string, clear: string>"}
    masks = {("profile", "email"): Mask.HASH, ("profile", "gone"): Mask.DROP}
    collect(collecting, casts, masks)
    error = collecting.run(record_errors=True).errors[collecting.dataset]
    collecting.cloud.clock.advance(hours=1)
    collect(collecting, casts, masks, bad_rows=BadRows(len(bad)))
    run = collecting.run()
    assert [row["profile"] for row in rows(collecting).values()] == [{"email": hashed(secret), "clear": "kept"}]
    rejected = collecting.rejected()
    assert sorted(row["data"]["id"] for row in rejected) == list(range(1, len(bad) + 1))
    assert all(row["data"].keys() == {"id"} for row in rejected)
    everything = [
        everything_stored(collecting.cloud),
        _items(collecting.cloud),
        caplog.text,
        *capfd.readouterr(),
        str(error),
        str(run),
    ]
    assert secret not in "\n".join(everything) and "kept" in everything[0]


def test_a_dropped_field_of_any_kind_makes_no_bad_row(collecting: Collecting, database: Database) -> None:
    put(database, {"a": 1, "gone": ["of another kind"]})
    collect(collecting, {"profile": "struct<a: int, gone: int>"}, {("profile", "gone"): Mask.DROP})
    collecting.run()
    assert rows(collecting)[0]["profile"] == {"a": 1}


def test_of_a_query_and_of_rows_that_left_it_nothing_in_the_clear_is_staged(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE people (id int PRIMARY KEY, at timestamptz, d jsonb, open boolean)")
    document = '{"a": "canary-a", "b": "canary-b"}'
    database.run(f"INSERT INTO people SELECT n, '2020-01-01Z', '{document}', true FROM generate_series(1, 3) n")
    collecting.cloud.put_secret("mask", {"key": KEY})
    collecting.source.incremental = {"mode": Mode.MERGE, "key": ("id",), "cursor": "at"}  # type: ignore[misc]
    query = "SELECT id, at, d ->> 'a' AS d, d AS doc FROM public.people WHERE"
    masks = {"doc": {"a": Mask.HASH, "b": Mask.DROP}, "d": Mask.HASH}
    how = {"casts": {"doc": "struct<a: string, b: string>"}, "masks": masks, "mask_key": "mask"}
    collecting.collect("", query=f"{query} open", left_out=f"{query} (open) IS NOT TRUE", **how)
    collecting.cloud.clock.advance(hours=5)
    collecting.run()
    assert [(row["d"], row["doc"]) for row in rows(collecting).values()] == [(hashed("canary-a"), {"a": hashed("canary-a")})] * 3
    database.run("UPDATE people SET open = false, at = NULL WHERE id = 2")
    collecting.cloud.clock.advance(hours=2)
    collecting.run()
    files = [collecting.cloud.body(file["key"]) for file in collecting.cloud.manifest(collecting.dataset)["left"]]
    assert [row["id"] for body in files for row in pq.read_table(io.BytesIO(body)).to_pylist()] == [2]
    assert "canary" not in everything_stored(collecting.cloud)


def _items(cloud: Cloud) -> str:
    return str([page["Items"] for page in cloud.dynamodb.get_paginator("scan").paginate(TableName=cloud.table)])
