"""Changes of a struct's fields: what they break, and whom they reach."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from console.update_set import shape_of
from language.compiler import Compilation, compile_sources
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from shared_metadata.update_set import UpdateSet, compare
from shared_metadata.update_set.records import Reason
from slices.registry import installed

PEOPLE = Schema(
    (
        SchemaColumn("id", "long", False, "id", "bigint"),
        SchemaColumn("at", "timestamptz", False, "at", "timestamp with time zone"),
        SchemaColumn("profile", "string", True, "profile", "jsonb"),
    )
)
SCHEMAS = {"ops": ConnectionSchemas("ops", "postgres", {"public.people": PEOPLE})}
KIND = "email: string, born: int, address: struct<city: string, zip: int>"
PROGRAM = """CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.people EVERY '1 hour' MERGE ON (id) CURSOR at {mask}
AS SELECT id, at, CAST(profile AS "struct<{kind}>") AS profile FROM ops.public.people;
"""


@cache
def compiled(mask: str, kind: str = KIND, views: str = "") -> Compilation:
    text = PROGRAM.format(mask=f"MASK ({mask})" if mask else "", kind=kind) + views
    return compile_sources({"program.sql": text}, installed(), SCHEMAS)


def change(before: str, after: str) -> UpdateSet:
    old, new = compiled(before), compiled(after)
    return compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)


def clear(update: UpdateSet) -> list[str]:
    return [each.why.partition(":")[0] for each in update.breaking if each.reason == Reason.CLEAR_VALUES]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("", "profile.email HASH", "profile.email"),
        ("", "profile.address.city HASH, profile.born HASH", "profile.address.city, profile.born"),
        ("profile.email HASH", "profile.email HASH, profile.address.city HASH", "profile.address.city"),
        ("profile.email HASH", "profile HASH", "profile"),
        ("profile.address.city HASH", "profile.address HASH", "profile.address"),
    ],
)
def test_what_of_a_column_is_masked_later_stays_readable_and_is_said(before: str, after: str, said: str) -> None:
    assert clear(change(before, after)) == [said]


@pytest.mark.parametrize(
    ("before", "after"),
    [("profile HASH", "profile.email HASH"), ("profile.email HASH", ""), ("profile.email HASH", "profile.email HASH")],
)
def test_what_was_masked_before_was_never_in_the_clear(before: str, after: str) -> None:
    assert clear(change(before, after)) == []


def test_a_field_that_is_hashed_from_now_on_mixes_the_history_and_says_of_which_field() -> None:
    update = change("", "profile.email HASH")
    assert [c.after for c in update.columns if c.dataset == "lake.ops.people" and c.kind == "masked"] == ["email hash"]
    (mixed,) = (b for b in update.breaking if b.reason == Reason.MIXED_HISTORY)
    assert mixed.dataset == "lake.ops.people" and "a join by profile.email finds no partner across it" in mixed.why


def test_a_field_that_is_dropped_from_now_on_narrows_its_columns_type() -> None:
    update = change("profile.born HASH", "profile.born DROP")
    breaking = [(b.dataset, b.reason, b.remedy) for b in update.breaking if b.reason == Reason.TYPE_NARROWED]
    assert ("lake.ops.people", Reason.TYPE_NARROWED, "collect it into a table of another name") in breaking


VIEWS = """CREATE MATERIALIZED VIEW lake.ops.emails EVERY '1 hour' REPLACE AS SELECT id, profile.email AS email FROM lake.ops.people;
CREATE MATERIALIZED VIEW lake.ops.cities EVERY '1 hour' REPLACE AS 
SELECT s.profile.address.CITY AS city FROM (SELECT * FROM lake.ops.people) s;
CREATE MATERIALIZED VIEW lake.ops.born EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.people WHERE profile.born > 1900;
CREATE MATERIALIZED VIEW lake.ops.parts EVERY '1 hour' REPLACE AS SELECT id, profile.address AS address FROM lake.ops.people;
CREATE MATERIALIZED VIEW lake.ops.wholes EVERY '1 hour' REPLACE AS SELECT id, profile FROM lake.ops.people;
CREATE MATERIALIZED VIEW lake.ops.none EVERY '1 hour' REPLACE AS SELECT count(*) AS n FROM lake.ops.people;
"""
CITY = {"cities", "parts", "wholes"}
KINDS = {
    "a type is widened": (KIND.replace("zip: int", "zip: long"), {"parts", "wholes"}),
    "a type is another": (KIND.replace("born: int", "born: double"), {"born", "wholes"}),
    "a field comes": (KIND + ", more: int", {"wholes"}),
    "a field comes within": (KIND.replace("zip: int", "zip: int, more: int"), {"parts", "wholes"}),
    "a field goes": (KIND.replace(", zip: int", ""), {"parts", "wholes"}),
    "in another order": ("born: int, email: string, address: struct<zip: int, city: string>", {"emails", "born", *CITY}),
}


def affected(update: UpdateSet) -> set[str]:
    return {reader.dataset.removeprefix("lake.ops.") for reader in update.readers if reader.changes or reader.by}


@pytest.mark.parametrize("name", KINDS)
def test_a_change_of_a_field_reaches_its_readers_and_those_of_the_whole_alone(name: str) -> None:
    kind, reached = KINDS[name]
    old, new = compiled("", KIND, VIEWS), compiled("", kind, VIEWS)
    update = compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)
    assert affected(update) == reached
    assert "lake.ops.none" in {reader.dataset for reader in update.readers}


@pytest.mark.parametrize(
    ("before", "after", "reached"),
    [
        ("", "profile.email HASH", {"emails", "wholes"}),
        ("profile.email HASH", "profile.email HASH, profile.address.city HASH", CITY),
        ("profile.address.zip HASH", "profile.address.zip DROP", {"parts", "wholes"}),
        ("profile.address.zip DROP", "", {"parts", "wholes"}),
    ],
)
def test_a_mask_of_a_field_reaches_its_readers_and_those_of_the_whole_alone(before: str, after: str, reached: set[str]) -> None:
    old, new = compiled(before, KIND, VIEWS), compiled(after, KIND, VIEWS)
    assert affected(compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)) == reached


def test_a_source_that_changes_reaches_the_readers_of_every_field() -> None:
    old = compiled("", KIND, VIEWS)
    assert old.lineage is not None
    made = replace(PEOPLE.columns[2], nullable=False)
    schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.people": Schema((*PEOPLE.columns[:2], made))})}
    new = compile_sources(old.program.sources, installed(), schemas)
    update = compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)
    assert affected(update) == {"emails", "born", *CITY}
