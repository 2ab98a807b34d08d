"""The format of what is recorded: told by the timeline, checked by all who begin anything, and moved by `atoll state upgrade`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.store import formats, items, keys
from shared_metadata.store import upgrade as upgrading
from shared_metadata.store.upgrade import Upgraded, upgrade
from tests.metadata.test_transfer import imported
from tests.metadata.test_verification import lived, verified
from tests.protocol.promises import settle
from tests.protocol.world import METADATA, World

RECORDED = sorted((Path(__file__).parent / "formats").glob("*.jsonl"))
KEY = items.to_item(keys.timeline())


def timeline(world: World) -> dict[str, Any]:
    return items.from_item(world.dynamodb.get_item(TableName=METADATA, Key=KEY)["Item"])


def told(world: World, number: int | None) -> World:
    """The world whose timeline tells this format."""
    values = {name: value for name, value in timeline(world).items() if name != formats.NAME}
    world.dynamodb.put_item(TableName=METADATA, Item=items.to_item(values | ({formats.NAME: number} if number else {})))
    return world


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The present format is 3; each migration says that it ran, and fails while its number is in `fails`."""
    ran: list[int] = []

    def migration(number: int) -> upgrading.Migration:
        def move(client: Any, table: str, said: upgrading.Said) -> None:
            ran.append(number)
            said(number)

        return move

    monkeypatch.setattr(formats, "PRESENT", 3)
    monkeypatch.setattr(upgrading, "MIGRATIONS", {1: migration(1), 2: migration(2)})
    return ran


def test_every_format_so_far_is_recorded_as_it_was() -> None:
    assert [path.stem for path in RECORDED] == [str(number) for number in range(formats.FIRST, formats.PRESENT + 1)]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_a_table_of_each_format_is_moved_is_right_and_goes_on(recorded: Path, tmp_path: Path) -> None:
    """The warehouse is that of the same hours, lived through by the code of today."""
    world = lived()
    world.dynamodb.tables[METADATA] = {}
    world.dynamodb.tables["t"] = {}
    imported(recorded.read_text(), world.dynamodb, tmp_path)
    world.dynamodb.tables[METADATA] = world.dynamodb.tables["t"]
    upgrade(world.dynamodb, METADATA)  # type: ignore[arg-type]
    assert formats.format_of(timeline(world)) == formats.PRESENT
    assert verified(world).differences == ()
    world.now = world.now.replace(hour=22)
    settle(world)


def test_what_is_applied_tells_its_format_and_one_without_is_the_first() -> None:
    world = lived()
    assert timeline(world)[formats.NAME] == formats.PRESENT
    assert formats.format_of(timeline(told(world, None))) == formats.FIRST


@pytest.mark.parametrize(
    ("found", "remedy"), [(1, "atoll state upgrade"), (None, "atoll state upgrade"), (4, "install and deploy the version")]
)
def test_nothing_begins_on_another_format(moves: list[int], found: int | None, remedy: str) -> None:
    world = told(lived(), found)
    for reads in (world.reader.timeline, world.reader.programs, world.reader.active_version):
        with pytest.raises(DefinitionError, match=f"has format {found or 1}") as refused:
            reads()
        assert remedy in refused.value.remedy


def test_an_upgrade_goes_through_every_format_between_and_a_second_does_nothing(moves: list[int]) -> None:
    world, said = told(lived(), None), list[int]()
    assert upgrade(world.dynamodb, METADATA, said.append) == Upgraded(1, 3)  # type: ignore[arg-type]
    assert moves == said == [1, 2]
    assert upgrade(world.dynamodb, METADATA) == Upgraded(3, 3)  # type: ignore[arg-type]
    assert moves == [1, 2] and world.reader.programs()


def test_one_that_was_stopped_goes_on_with_the_format_that_it_had_begun(moves: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> None:
        raise ConnectionError

    world = told(lived(), None)
    with monkeypatch.context() as patch:
        patch.setattr(upgrading, "MIGRATIONS", {**upgrading.MIGRATIONS, 2: stopped})
        with pytest.raises(ConnectionError):
            upgrade(world.dynamodb, METADATA)  # type: ignore[arg-type]
    assert formats.format_of(timeline(world)) == 2
    upgrade(world.dynamodb, METADATA)  # type: ignore[arg-type]
    assert moves == [1, 2]


def test_a_program_that_is_applied_meanwhile_is_not_written_over(moves: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    world = told(lived(), None)

    def meanwhile(*_: Any) -> None:
        values = timeline(world)
        world.dynamodb.put_item(TableName=METADATA, Item=items.to_item({**values, "revision": values["revision"] + 1}))

    monkeypatch.setattr(upgrading, "MIGRATIONS", {**upgrading.MIGRATIONS, 1: meanwhile})
    with pytest.raises(RetryLater, match="applied meanwhile"):
        upgrade(world.dynamodb, METADATA)  # type: ignore[arg-type]


def test_a_table_of_a_later_format_and_an_empty_one_are_refused(moves: list[int]) -> None:
    world = told(lived(), 4)
    with pytest.raises(DefinitionError, match="of a later version"):
        upgrade(world.dynamodb, METADATA)  # type: ignore[arg-type]
    world.dynamodb.tables[METADATA] = {}
    with pytest.raises(DefinitionError, match="no program is active"):
        upgrade(world.dynamodb, METADATA)  # type: ignore[arg-type]


def test_a_recorded_table_is_whole() -> None:
    for path in RECORDED:
        lines = path.read_text().splitlines()
        assert json.loads(lines[-1]) == {"items": len(lines) - 2} and len(lines) > 30
