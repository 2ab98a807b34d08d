"""`atoll state export` and `import`, below their commands: what goes out comes in the same, whole or not at all."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.errors import InputError
from shared_metadata.store import items, transfer
from tests.memory.dynamodb import MemoryDynamoDB
from tests.metadata.test_verification import lived
from tests.protocol.promises import settle
from tests.protocol.world import METADATA

TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | TEXT
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
STATES = st.dictionaries(st.tuples(TEXT, TEXT), st.dictionaries(TEXT.filter(lambda n: n not in ("pk", "sk")), VALUES, max_size=3))


def account(state: dict[tuple[str, str], dict[str, Any]] | None = None) -> MemoryDynamoDB:
    client = MemoryDynamoDB()
    client.create_table(TableName="t")
    for (pk, sk), values in (state or {}).items():
        client.put_item(TableName="t", Item=items.to_item({"pk": pk, "sk": sk, **values}))
    return client


def exported(client: Any, table: str = "t") -> str:
    into = io.StringIO()
    transfer.export(client, table, into)
    return into.getvalue()


def imported(text: str, client: Any, folder: Path, **how: Any) -> transfer.Imported:
    path = folder / "state.jsonl"
    path.write_text(text)
    return transfer.Import(path).into(client, "t", **how)


@settings(deadline=None)
@given(STATES)
def test_what_is_exported_imported_and_exported_again_is_the_same(tmp_path_factory: pytest.TempPathFactory, state: Any) -> None:
    out, fresh = exported(account(state)), account()
    imported(out, fresh, tmp_path_factory.getbasetemp())
    assert exported(fresh) == out
    lines = [json.loads(line) for line in out.splitlines()]
    found = [(line["pk"]["S"], line["sk"]["S"]) for line in lines[1:-1]]
    assert found == sorted(found) and lines[-1] == {"items": len(state)}


def test_more_items_than_fit_in_memory_are_sorted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    client = account({(f"k{n % 7}", f"{n:03d}"): {} for n in range(300)})
    whole = exported(client)
    monkeypatch.setattr(transfer, "SORTED_AT_ONCE", 7)
    assert exported(client) == whole


def test_a_program_goes_on_in_another_table(tmp_path: Path) -> None:
    world = lived()
    out = exported(world.dynamodb, METADATA)
    world.dynamodb.tables[METADATA], world.dynamodb.tables["t"] = {}, {}
    done = imported(out, world.dynamodb, tmp_path)
    assert (done.present, done.deleted) == (0, 0) and done.written > 30
    world.dynamodb.tables[METADATA] = world.dynamodb.tables["t"]
    world.now = world.now.replace(hour=22)
    settle(world)


def test_a_table_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    out, other = exported(account({("a", "b"): {"x": 1}})), account({("a", "b"): {"x": 2}, ("c", "d"): {}})
    before = exported(other)
    with pytest.raises(InputError, match=r"not empty: it holds a b and 1 other"):
        imported(out, other, tmp_path)
    assert exported(other) == before
    assert imported(out, other, tmp_path, replace=True) == transfer.Imported(1, 0, 1)
    assert exported(other) == out


class Breaks:
    """A client that is gone after some writes."""

    def __init__(self, client: Any, writes: int) -> None:
        self._client, self._writes = client, writes

    def __getattr__(self, name: str) -> Any:
        if name == "batch_write_item":
            self._writes -= 1
            if self._writes < 0:
                raise ConnectionError
        return getattr(self._client, name)


@pytest.mark.parametrize("replace", [False, True])
def test_an_import_that_broke_off_goes_on_and_activates_its_program_last(tmp_path: Path, replace: bool) -> None:
    state: Any = {("PROGRAM", "ACTIVE"): {"revision": 2}, **{("k", f"{n:03d}"): {"n": n} for n in range(100)}}
    held: Any = {("PROGRAM", "ACTIVE"): {"revision": 1}, ("old", "x"): {}} if replace else {}
    out = exported(account(state))
    for writes in range(20):
        client = account(held)
        try:
            imported(out, Breaks(client, writes), tmp_path, replace=replace)
            break
        except ConnectionError:
            left = client.tables["t"]
            if ("PROGRAM", "ACTIVE") in left:
                assert left == account(held).tables["t"]
        imported(out, client, tmp_path, replace=replace)
        assert exported(client) == out
        assert imported(out, client, tmp_path).written == 0
    else:
        raise AssertionError("it never came to its end")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda lines: lines[:-1], "cut off"),
        (lambda lines: [*lines[:1], *lines[2:]], "should hold 2 items, and holds 1"),
        (lambda lines: [lines[0], lines[1], *lines[1:]], "twice"),
        (lambda lines: lines[1:], "no export"),
        (lambda lines: [lines[0].replace('"version": 1', '"version": 9'), *lines[1:]], "format version 9"),
        (lambda lines: [lines[0], "oops", *lines[1:]], "no JSON object"),
        (lambda lines: [], "no JSON object"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(tmp_path: Path, spoil: Any, why: str) -> None:
    lines = exported(account({("a", "b"): {}, ("c", "d"): {}})).splitlines()
    fresh = account()
    with pytest.raises(InputError, match=why):
        imported("".join(f"{line}\n" for line in spoil(lines)), fresh, tmp_path)
    assert fresh.tables["t"] == {}
