"""Errors for columns that the new program took away or renamed say so, with the active program's lineage."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.project import parse_snapshots, read_snapshots
from language.compiler import compile_sources
from language.text.diagnostics import Diagnostic, ProgramErrors
from language.typed.renames import explain_renames
from slices.registry import installed

AIRLINE = Path(__file__).resolve().parents[2] / "examples" / "airline" / "program.sql"
TEXT = AIRLINE.read_text()
SCHEMAS = parse_snapshots(read_snapshots([str(AIRLINE)]) or {})
ACTIVE = compile_sources({"program.sql": TEXT}, installed(), SCHEMAS).lineage


def errors_of(*edits: tuple[str, str]) -> ProgramErrors:
    text = TEXT
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with pytest.raises(ProgramErrors) as found:
        compile_sources({"program.sql": text}, installed(), SCHEMAS)
    return found.value


def explained(*edits: tuple[str, str]) -> tuple[Diagnostic, ...]:
    assert ACTIVE is not None
    return explain_renames(errors_of(*edits), ACTIVE).diagnostics


def line_of(text: str) -> int:
    return TEXT[: TEXT.index(text)].count("\n") + 1


def test_a_renamed_column_is_named_with_its_new_name_place_and_readers() -> None:
    (found,) = explained(("AS minutes_late", "AS late_minutes"))
    said = (
        f"column `minutes_late` of `lake.ops.carrier_day` was renamed to `late_minutes` at program.sql:{line_of('AS minutes_late')}:"
    )
    assert "`d` has no column `minutes_late`: " + said in found.cause and found.cause.endswith("1 reader: lake.ops.carrier_score")
    assert found.remedy == "write `late_minutes` here, or keep `minutes_late` in `lake.ops.carrier_day` too"
    assert found.line == line_of("d.minutes_late")


def test_a_column_without_origin_is_probably_renamed() -> None:
    (found,) = explained(("count(*) AS flights, count(dep", "count(*) AS legs, count(dep"))
    assert "was probably renamed to `legs`" in found.cause


def test_a_dropped_column_is_said_to_be_dropped() -> None:
    (found,) = explained(("sum(dep_delay) AS minutes_late, ", ""))
    assert f"was dropped at program.sql:{line_of('CREATE MATERIALIZED VIEW lake.ops.carrier_day')}:" in found.cause
    assert "keep `minutes_late` in `lake.ops.carrier_day`" in found.remedy


def test_several_readers_of_a_renamed_column_are_all_told() -> None:
    found = explained(("SELECT id, carrier, flight, tailnum, origin", "SELECT id, carrier, flight, tailnum AS tail, origin"))
    assert found and all("was renamed to `tail`" in d.cause for d in found if "tailnum" in d.cause)
    assert any("1 reader: ops.published.airport_delays" in d.cause for d in found)


def test_a_misspelt_column_stays_a_misspelt_column() -> None:
    edits = (("sum(d.minutes_late)", "sum(d.minutes_lat)"),)
    assert explained(*edits) == errors_of(*edits).diagnostics


def test_errors_of_untyped_programs_stay_as_they_are() -> None:
    with pytest.raises(ProgramErrors) as found:
        compile_sources({"program.sql": "CREATE WAREHOUSE lake USING icebrg;"}, installed())
    assert ACTIVE is not None and explain_renames(found.value, ACTIVE) is found.value
