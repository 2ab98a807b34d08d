"""The format of what is recorded: told by the timeline, checked by all who begin anything, and moved by `atoll state upgrade`."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.contract.secrets.grant_lease import GrantLeases
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.state.records import EventKind
from shared_metadata.store import formats, items, keys
from shared_metadata.store import upgrade as upgrading
from shared_metadata.store.drift_records import DriftReader
from shared_metadata.store.maintenance_records import MaintenanceRecords
from shared_metadata.store.source_registry import SourceRegistry
from shared_metadata.store.upgrade import Upgraded, upgrade
from tests.metadata.test_transfer import imported
from tests.metadata.test_verification import lived, verified
from tests.protocol.lake import LOAD
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


def moved(recorded: Path, folder: Path) -> World:
    """A recorded table, moved to the present format. The warehouse is that of the same hours, lived through by the code of today."""
    world = lived()
    world.dynamodb.tables[METADATA] = {}
    world.dynamodb.tables["t"] = {}
    imported(recorded.read_text(), world.dynamodb, folder)
    world.dynamodb.tables[METADATA] = world.dynamodb.tables["t"]
    upgrade(world.dynamodb, METADATA)  # type: ignore[arg-type]
    return world


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_a_table_of_each_format_is_moved_is_right_and_goes_on(recorded: Path, tmp_path: Path) -> None:
    world = moved(recorded, tmp_path)
    assert formats.format_of(timeline(world)) == formats.PRESENT
    assert verified(world).differences == ()
    world.now = world.now.replace(hour=22)
    settle(world)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_table_has_every_kind_of_item_that_its_format_had(recorded: Path) -> None:
    """As the table of keys has them; what came later has no item in an earlier format, and needs none."""
    later = {"what is left of batches that have aged", "before when versions are forgotten"} if recorded.stem == "1" else set()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in (keys.__doc__ or "").splitlines() if " | " in line]
    kinds = {name: [re.sub(r"<[^>]*>", ".+", part) for part in patterns] for name, *patterns in rows[1:]}
    found = [json.loads(line) for line in recorded.read_text().splitlines()[1:-1]]
    missing = {
        name
        for name, (pk, sk) in kinds.items()
        if not any(re.fullmatch(pk, one["pk"]["S"]) and re.fullmatch(sk, one["sk"]["S"]) for one in found)
    }
    assert len(kinds) > 15 and missing == later


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_what_a_table_of_each_format_holds_is_read_as_it_was_written(recorded: Path, tmp_path: Path) -> None:
    """Of the kinds that no batch of `settle` reads: beside the program that runs there is another, with its lineage and a drift."""
    world = moved(recorded, tmp_path)
    reader, client = world.reader, world.dynamodb
    (drift,) = DriftReader(client, METADATA).open_drifts()  # type: ignore[arg-type]
    assert (drift.number, drift.change.table, drift.change.column, drift.change.kind.value) == (
        1,
        "out.things",
        "name",
        "column dropped",
    )
    other = next(pk.removeprefix(keys.PROGRAM_PREFIX) for pk, sk in world.rows if sk == "SOURCE#out.things")
    assert "lake.a.v000" in reader.program(other).flows
    lineage = reader.lineage(other)
    assert lineage is not None and {dataset.dataset for dataset in lineage.some(["lake.a.v000"])} == {"lake.a.v000"}
    assert reader.installed_slices()["collect.postgres"]["stack"] == "CollectPostgresSlice"
    (seen,) = SourceRegistry(client, METADATA).tables("out")  # type: ignore[arg-type]
    assert seen.schema is not None and [column.name for column in seen.schema.columns] == ["id", "name", "size", "spare"]
    kept = MaintenanceRecords(client, METADATA).all()["lake.ops.t"]  # type: ignore[arg-type]
    assert (kept.at - kept.through, kept.done) == (timedelta(hours=1), {"compacted": 3})
    lease = GrantLeases(client, METADATA, lambda: world.now).read("salesforce")  # type: ignore[arg-type]
    assert (lease.version, lease.former, lease.until) == ("two", ("one",), 0)
    last = items.from_item(client.get_item(TableName=METADATA, Key=items.to_item(keys.last_verification()))["Item"])
    assert json.loads(last["body"])["differences"] == [] and last["differences"] == 0
    assert len(reader.statistics(LOAD)) == 5
    quiesced = [
        event.detail["flows"] for event in reader.events(world.now - timedelta(days=9)) if event.kind == EventKind.FLOW_QUIESCED
    ]
    assert quiesced == [["lake.a.reader", "lake.a.v000"]]


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
