"""Each of Atoll's own manifests over a double of its vendor's API: what a batch takes, and what goes wrong there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from shared_metadata.errors import AtollError, RetryLater
from shared_metadata.program import Mode
from systems.rest import client
from systems.rest.columns import columns_of
from systems.rest.document import FOLDER, MANIFEST, OWN, document_of
from systems.rest.reader import Reader
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud, open_cloud
from tests.sources.vendors import RECORDS, SOURCES, Door, Source, Table, cases, first_tables


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for, which pass at once."""
    found: list[float] = []
    monkeypatch.setattr(client, "Reader", partial(Reader, pause=found.append))
    return found


@pytest.fixture
def collecting(cloud: Cloud, source: Source, table: Table, paused: list[float]) -> Iterator[Collecting]:
    """A flow over a table that has its records since a day."""
    with ExitStack() as stack:
        door = Door(source, stack, cloud.clock)
        found = Collecting(cloud, door)  # type: ignore[arg-type]
        door.fill(table, found.at - timedelta(days=1))
        found.collect(table.name, how=door.how(table))
        yield found


def api(collecting: Collecting) -> Any:
    return collecting.source.api  # type: ignore[attr-defined]


def refused(collecting: Collecting) -> str:
    """What the next batch ends with, in plan or where it reads."""
    try:
        run = collecting.run(record_errors=True)
    except AtollError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        collecting.cloud.clock.advance(minutes=20)  # the claim of who gave up
    return str([*run.planned["failed"], *map(repr, run.errors.values())])


def held(collecting: Collecting, table: Table) -> dict[Any, dict[str, Any]]:
    """What the latest batch has staged, by key."""
    found = collecting.cloud.rows(collecting.dataset)
    rows = found.to_pylist() if found else []
    assert table.twice or len({row[table.key] for row in rows}) == len(rows)
    return {row[table.key]: row for row in rows}


def keys(collecting: Collecting, table: Table) -> list[Any]:
    return sorted(held(collecting, table))


def test_each_table_of_each_manifest_is_read_from_a_double() -> None:
    documents = {file.parent.name: document_of(file.parent.name) for file in (OWN / FOLDER).glob(f"*/{MANIFEST}")}
    assert {system: document["left_out"] for system, document in documents.items() if document["left_out"]} == {}
    read = {source.system: {*source.apart, *(table.name for table in source.tables)} for source in SOURCES}
    assert read == {system: {*document["streams"]} for system, document in documents.items()}


@pytest.mark.parametrize(("source", "table"), cases())
def test_a_first_batch_takes_all_pages_with_every_field_that_the_vendor_has(
    collecting: Collecting, source: Source, table: Table
) -> None:
    collecting.run()
    rows, there = held(collecting, table), api(collecting).rows[table.rows]
    assert len(rows) == RECORDS
    said = (document_of(source.system)["tables"].get(table.name) or {}).get("types") or {}
    for column in columns_of(document_of(source.system)["streams"][table.name], said):
        given = [value_at(record, (*table.place, column.source)) for record in there]
        if any(value is not None for value in given):
            assert any(row[column.name] is not None for row in rows.values()), column.name


def value_at(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


@pytest.mark.parametrize(("source", "table"), cases())
def test_a_later_batch_takes_what_changed_and_leaves_what_is_still_to_come(
    collecting: Collecting, source: Source, table: Table
) -> None:
    collecting.run()
    before, rows = keys(collecting, table), api(collecting).rows[table.rows]
    rows.append(table.made(RECORDS, collecting.at))
    if not table.fixed:
        table.changed(rows[1], collecting.at)
    later = table.made(RECORDS + 1, collecting.at + timedelta(hours=1))
    rows.append(later)
    collecting.run()
    found = keys(collecting, table)
    new = [key for key in found if key not in before]
    assert table.fixed or value_at(rows[1], (*table.place, table.key)) in found
    assert len(new) == (2 if not table.cursor or table.again else 1)
    if table.cursor and not table.again:
        assert len(found) == (1 if table.fixed else 2)
        collecting.run()
        assert len(keys(collecting, table)) == 1 and not {*keys(collecting, table)} & {*found}


@pytest.mark.parametrize(("source", "table"), cases())
def test_what_changes_between_two_pages_takes_no_other_record_along(collecting: Collecting, source: Source, table: Table) -> None:
    for seed in range(1 if table.twice else 4):
        chance, there, number = random.Random(seed), api(collecting).rows[table.rows], iter(range(100 * (seed + 1), 10_000))
        touched: set[int] = set()
        changes = iter(range(3))

        def change(
            chance: random.Random = chance, there: Any = there, number: Any = number, touched: Any = touched, changes: Any = changes
        ) -> None:
            if next(changes, None) is None:
                return
            row = chance.choice(there)
            what = chance.choice(("change", "delete", "insert"))
            if what == "insert" or len(there) < 4:
                there.insert(chance.randrange(len(there)), table.made(next(number), collecting.at))
                return
            touched.add(id(row))
            if what == "delete":
                there.remove(row)
            elif not table.fixed:
                table.changed(row, collecting.at)

        rows = [*there]
        if not table.twice:
            collecting.collect(table.name, how={"mode": Mode.REPLACE})
        api(collecting).between = change
        for attempt in range(5):
            try:
                collecting.run()
                break
            except RetryLater:  # what was where a page begins is gone: the batch is tried again, which comes to an end
                assert attempt < 4
                collecting.cloud.clock.advance(minutes=20)
        api(collecting).between = lambda: None
        stayed = [row for row in rows if id(row) not in touched]
        found = {str(key) for key in held(collecting, table)}
        assert {str(value_at(row, (*table.place, table.key))) for row in stayed} <= found


@pytest.mark.parametrize(("source", "table"), first_tables())
def test_one_request_too_many_is_waited_for(collecting: Collecting, source: Source, table: Table, paused: list[float]) -> None:
    api(collecting).coming += [source.vendor.limited(2)] * 2
    if source.later:
        assert refused(collecting).count("RetryLater") == 1
        return
    collecting.run()
    assert len(paused) == 2 and len(held(collecting, table)) == RECORDS
    if source.waits:
        assert paused == [2.0, 2.0]


@pytest.mark.parametrize(("source", "table"), first_tables())
def test_a_limit_that_lasts_is_for_the_batch_to_wait_for(
    collecting: Collecting, source: Source, table: Table, paused: list[float]
) -> None:
    api(collecting).coming += [source.vendor.limited(600)] * 10
    assert "RetryLater" in refused(collecting)
    assert not source.waits or paused == []
    api(collecting).coming.clear()
    collecting.run()
    assert len(held(collecting, table)) == RECORDS


@pytest.mark.security
@pytest.mark.parametrize(("source", "table"), first_tables())
def test_what_is_not_allowed_says_what_and_where_and_tells_no_token(collecting: Collecting, source: Source, table: Table) -> None:
    wrong = "wrong-and-secret"
    collecting.cloud.put_secret("thing", source.secret(wrong))
    refusals = [refused(collecting)]
    collecting.cloud.put_secret("thing", source.secret(source.token))
    api(collecting).expired = True
    refusals.append(refused(collecting))
    api(collecting).expired = False
    api(collecting).denied.add(table.rows)
    refusals.append(refused(collecting))
    for said in refusals:
        assert "SecretError" in said and "the secret thing" in said, said
        assert wrong not in said and source.token not in said
