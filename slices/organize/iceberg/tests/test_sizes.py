"""What is too much for the slice's functions, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared_metadata.contract.sizes import Asked, Given, Size
from shared_metadata.program import Flow, Kind, Mode, Position, Table
from systems.iceberg.sizes import too_much

SMALL, LARGE = Given(2048, 4096, 900), Given(10_240, 10_240, 900)
MILLION = 1_000_000


def asked(mode: Mode, brings: int | None = None, stands: int | None = None, key_type: str = "long", **more: object) -> Asked:
    table = Table("lake.ops.flights", "", ("lake.ops.flights:staged",))
    here = Position("p.sql", 1, 1)
    flow = Flow("lake.ops.flights:load", Kind.LOAD, "organize.iceberg", "lake", 3600, (table,), here, mode=mode, key=("id",), **more)  # type: ignore[arg-type]
    return Asked(flow, table, Size(brings), Size(stands), {"id": key_type})


# What was measured in a function of 2,048 MB with 4 GB: 500 million numbers and 100 million texts of 32 characters pass, 150 do not.
@pytest.mark.parametrize(
    ("key_type", "rows", "given", "refused"),
    [
        ("long", 480 * MILLION, SMALL, False),
        ("long", 800 * MILLION, SMALL, True),
        ("string", 100 * MILLION, SMALL, False),
        ("string", 150 * MILLION, SMALL, True),
        ("string", 150 * MILLION, LARGE, False),
        ("decimal(38,0)", 800 * MILLION, LARGE, True),
    ],
)
def test_a_first_load_whose_keys_do_not_fit_is_refused(key_type: str, rows: int, given: Given, refused: bool) -> None:
    found = too_much(asked(Mode.MERGE, rows, key_type=key_type), {"load": given, "commit": given})
    assert [one.refused for one in found] == [True] * refused
    assert all(f"{rows:,} rows" in one.what and "GB" in one.what for one in found)
    assert not too_much(asked(Mode.APPEND, rows, key_type=key_type), {"load": given})


def test_the_remedy_names_a_setting_only_where_it_helps() -> None:
    (some,) = too_much(asked(Mode.MERGE, 800 * MILLION), {"load": SMALL})
    (more,) = too_much(asked(Mode.MERGE, 7000 * MILLION), {"load": SMALL})
    assert "-c memoryOf=organize.iceberg.load=10240 -c tmpOf=organize.iceberg.load=10240" in some.remedy
    assert "memoryOf" not in more.remedy and "APPEND" in more.remedy


@pytest.mark.parametrize(("rows", "refused"), [(100 * MILLION, False), (1000 * MILLION, True)])
def test_a_first_load_that_is_written_anew_by_partition_has_one_call(rows: int, refused: bool) -> None:
    partitioned = asked(Mode.APPEND, rows, partition_by=("day",))
    assert [one.refused for one in too_much(partitioned, {"load": SMALL})] == [True] * refused


@pytest.mark.parametrize(("rows", "refused"), [(100 * MILLION, []), (1000 * MILLION, [False]), (50_000 * MILLION, [True])])
def test_a_merge_into_a_large_table_is_told_and_one_that_takes_more_than_a_day_refused(rows: int, refused: list[bool]) -> None:
    found = too_much(asked(Mode.MERGE, stands=rows), {"load": SMALL, "commit": SMALL})
    assert [one.refused for one in found] == refused and all(f"{rows:,} rows" in one.what for one in found)


GB = 2**30


@pytest.mark.parametrize(
    ("rewrote", "every", "refused"),
    [
        (Size(50 * MILLION, 3 * GB), 900, [False]),  # 3 minutes of 15
        (Size(1000 * MILLION, 98 * GB), 900, [True]),  # 55 minutes of 15
        (Size(1000 * MILLION, 98 * GB), 86_400, [False]),
        (Size(2 * MILLION, 2**20), 900, []),
    ],
)
def test_a_merge_is_judged_by_what_its_last_batch_wrote_anew(rewrote: Size, every: int, refused: list[bool]) -> None:
    given = replace(asked(Mode.MERGE), stands=Size(1000 * MILLION, 100 * GB), rewrote=rewrote)
    found = too_much(replace(given, flow=replace(given.flow, interval_seconds=every)), {"load": SMALL, "commit": SMALL})
    assert [one.refused for one in found] == refused
    for one in found:
        assert "the table holds 1,000,000,000 rows (100.0 GB), of which its last batch wrote" in one.what
        assert "a day" in one.what and "PARTITION BY" in one.remedy
        assert ("come ever later" in one.what) is one.refused


@pytest.mark.parametrize(
    ("looked", "given", "every", "refused"),
    [
        (500 * MILLION, SMALL, 900, []),
        (1500 * MILLION, SMALL, 900, [False]),  # 11 minutes of 14
        (2500 * MILLION, SMALL, 86_400, [True]),  # one call has 14 minutes
        (2500 * MILLION, LARGE, 900, []),
        (500 * MILLION, SMALL, 120, [True]),
    ],
)
def test_a_merge_is_judged_by_the_rows_among_which_its_last_batch_looked_for_its_keys(
    looked: int, given: Given, every: int, refused: list[bool]
) -> None:
    found = replace(asked(Mode.MERGE), stands=Size(3000 * MILLION), rewrote=Size(0, 0), looked=looked)
    judged = too_much(replace(found, flow=replace(found.flow, interval_seconds=every)), {"load": given, "commit": given})
    assert [one.refused for one in judged] == refused
    assert all(f"among {looked:,} rows" in one.what and "have it in the key" in one.remedy for one in judged)


def test_nothing_is_refused_of_which_the_size_or_the_functions_are_not_known() -> None:
    assert not too_much(asked(Mode.MERGE), {"load": SMALL, "commit": SMALL})
    assert not too_much(asked(Mode.MERGE, 10**12, 10**12), {})
