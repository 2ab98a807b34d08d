"""The suite of every collect slice, over a folder that holds a manifest and no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.program import Column, Connection, Flow, Kind, Mask, Mode, Program, Table
from tests.conformance.collect import COLUMNS, FLOW, HERE, HOUR, CollectConformance, Collecting, label_rows
from tests.conformance.drift import DriftConformance
from tests.conformance.fixtures import Cloud, FakeContext, cloud
from tests.conformance.masking import KEY, kept_documents, salts_of
from tests.systems.rest.things import Things, ThingsUnderTest

__all__ = ["cloud"]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThingsUnderTest]:
    monkeypatch.chdir(tmp_path)
    things = Things()
    yield ThingsUnderTest(things, tmp_path)
    things.close()


def test_a_record_that_says_that_it_is_gone_is_reported_where_the_overlay_says_so(cloud: Cloud, source: ThingsUnderTest) -> None:
    collecting = Collecting(cloud, source)
    table = source.create_table({**COLUMNS, "gone": "boolean"})
    source.say(table, deleted="gone")
    source.put(table, [{"label": "a"}, {"label": "b", "gone": False}], collecting.at)
    columns = tuple(Column(name, name) for name in ("id", "label", "updated"))
    collecting.collect(table, columns=columns)
    collecting.run()
    assert [(row["label"], row["_deleted"]) for row in collecting.rows()] == [("a", False), ("b", False)]
    source.put(table, [{"label": "a", "gone": True}], collecting.at)
    collecting.run()
    assert [(row["label"], row["_deleted"]) for row in collecting.rows()] == [("a", True)]
    assert "gone" not in collecting.rows()[0]


def test_a_table_is_collected_by_its_own_settings_where_its_flow_has_others(cloud: Cloud, source: ThingsUnderTest) -> None:
    collecting = Collecting(cloud, source)
    table = source.create_table(COLUMNS)
    source.put(table, label_rows(["a", "b"]), collecting.at)
    own = Table(collecting.dataset, table, mode=Mode.MERGE, key=("id",), cursor="updated")
    flow = Flow(FLOW, Kind.COLLECT, source.declaration.id, "lake", HOUR, (own,), HERE, connection="out", mode=Mode.REPLACE)
    connection = Connection("out", source.declaration.system, {"secret": "thing"}, HERE)
    cloud.apply(Program({"out": connection}, {}, {FLOW: flow}))
    collecting.run()
    assert collecting.labels() == ["a", "b"]
    source.put(table, label_rows(["c"]), collecting.at)
    collecting.run()
    assert collecting.labels() == ["c"]


def test_discover_tells_how_a_table_is_collected(cloud: Cloud, source: ThingsUnderTest) -> None:
    table = source.create_table(COLUMNS)
    source.say(table, cursor="updated", deleted="flag")
    step = DiscoverStep(source.declaration, cloud.services(source.declaration.id), source.open_source(cloud.session))
    cloud.put_secret("thing", source.secret)
    connection = {"name": "out", "system": source.declaration.system, "options": {"secret": "thing"}}
    told = step({"connection": connection, "tables": [table, "check", "none"]}, FakeContext())["defaults"]
    read = {"reads": "what its cursor says is new"}
    assert told == {
        table: {"key": ("id",), "cursor": "updated", "mode": "MERGE", "deletes": "by flag", **read},
        "check": told["check"],
    }
    assert told["check"] == {"key": ("id",), "cursor": "updated", "mode": "MERGE", **read}


@pytest.mark.parametrize("masks", [{}, {"id": Mask.HASH}], ids=["as it is", "hashed"])
def test_what_calls_keep_of_hashed_keys_cannot_be_tried_out_by_what_lies_beside_it(
    cloud: Cloud, source: ThingsUnderTest, monkeypatch: pytest.MonkeyPatch, masks: dict[str, Mask]
) -> None:
    """Of keys that are as they are it can, so this would be seen."""
    kept = kept_documents(monkeypatch)
    collecting, table = Collecting(cloud, source), source.create_table(COLUMNS)
    cloud.put_secret("mask", {"key": KEY})
    source.say(table, pages="numbers")
    source.put(table, label_rows([f"a{number}" for number in range(250)]), collecting.at)
    collecting.collect(table, masks=masks, mask_key="mask" if masks else "")
    collecting.run(context=lambda step: FakeContext(5.0 if step == "extract" else 900.0))
    (salt,) = salts_of(kept)
    texts = [json.dumps([name]).encode() for name in source.things.tables[table]]
    tried = {hashlib.blake2b(text, digest_size=8, key=salt.encode()).digest() for text in texts}
    known = {int(one).to_bytes(8, "big") for told in kept for one in told.get("keys", ())}
    assert known and (not known & tried if masks else known <= tried)


class TestConformance(CollectConformance):
    """All of it."""


class TestDrift(DriftConformance):
    """All of it."""
