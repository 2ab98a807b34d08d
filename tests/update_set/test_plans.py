"""Plans of changes of the reference project, as a reviewer reads them: tests/update_set/plans/*.txt.

ATOLL_UPDATE_GOLDEN=1 writes what is expected; read the difference.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from console.project import parse_snapshots, read_snapshots
from console.update_set import shape_of
from console.update_text import lines
from language.compiler import Compilation, compile_sources
from shared_metadata.update_set import UpdateSet, compare, estimated, reach
from slices.registry import installed

ROOT = Path(__file__).resolve().parents[2]
AIRLINE = ROOT / "examples" / "airline"
PLANS = Path(__file__).with_name("plans")
BOUNDARY = datetime(2026, 11, 25, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 23, 59, 30, tzinfo=UTC)
SINCE = datetime(2026, 11, 24, 23, tzinfo=UTC)
LAKE = "CREATE WAREHOUSE lake USING iceberg;"
KEYED = LAKE.replace(";", " WITH (mask_key = 'mask');")
BY_ID = "MERGE ON (id) CURSOR updated_at"
Edits = list[tuple[str, str]]

CARRIER_DAY = "FROM lake.ops.flights\nGROUP BY 1, 2;\n\nCREATE MATERIALIZED VIEW lake.ops.carrier_score"
LOG = "  EVERY '1 minute' APPEND\nAS\nSELECT date_trunc('minute', updated_at) AS seen"
SELECTED = "count(*) AS flights, count(dep"
DELAYS = "sum(dep_delay) AS minutes_late, round(avg(dep_delay), 2) AS mean_delay\n"
PLAUSIBLE = "  EXPECT plausible_delay: (mean_delay BETWEEN -60 AND 600) OR WARN\n"
SCORES = "FROM lake.ops.carrier_day d LEFT"
CHANGES: dict[str, Edits] = {
    "a column is computed differently": [("sum(dep_delay) AS minutes_late", "sum(arr_delay) AS minutes_late")],
    "a column is added": [(SELECTED, SELECTED.replace(",", ", max(dep_delay) AS worst_delay,"))],
    "a column that nobody reads is dropped": [(DELAYS, "sum(dep_delay) AS minutes_late\n"), (PLAUSIBLE, "")],
    "a column is renamed with its reader": [(SELECTED, SELECTED.replace("flights", "legs")), ("sum(d.flights)", "sum(d.legs)")],
    "a published column is dropped": [("SELECT carrier, name, days, flights, mean_delay,", "SELECT carrier, name, days, flights,")],
    "a type is narrowed": [("count(*) AS days", "CAST(count(*) AS INTEGER) AS days")],
    "other rows of a collected table": [("FROM ops.public.flights;", "FROM ops.public.flights\nWHERE dep_delay IS NOT NULL;")],
    "a column within a CTE": [("CAST(sum(o.amount)", "CAST(max(o.amount)")],
    "a mode": [(LOG, LOG.replace("APPEND", "REPLACE"))],
    "a key": [("MERGE ON (carrier)", "MERGE ON (carrier, name)")],
    "a rule that takes rows away": [("IS NOT NULL) OR FAIL", "IS NOT NULL) OR QUARANTINE")],
    "how many bad rows": [("IS NOT NULL) OR FAIL", "IS NOT NULL) OR QUARANTINE\n  TOLERATE 1 PERCENT BAD ROWS")],
    "how many bad rows a target may refuse": [("MERGE ON (carrier)", "MERGE ON (carrier)\n  TOLERATE 10 BAD ROWS")],
    "how fresh": [("FRESH WITHIN '5 minutes'", "FRESH WITHIN '1 hour'")],
    "a statement is removed": [],
    "a statement is added": [],
    "a column is masked": [(LAKE, KEYED), (BY_ID, f"{BY_ID}\n  MASK (tailnum HASH, flight DROP)")],
    "a key is hashed": [(LAKE, KEYED), (BY_ID, f"{BY_ID}\n  MASK (id HASH)")],
    "another secret": [("(secret = 'ops')", "(secret = 'ops2')")],
    "layout only": [("-- Organize: views on views.", "-- Organize.\n\n"), (SCORES, SCORES.replace(" d ", " AS d\n  "))],
}
MORE: dict[str, dict[str, Any]] = {
    "other rows of a collected table": {"restate_from": SINCE, "boundary": SINCE},
}
STATISTICS = {
    "lake.ops.carrier_day": [
        {"sk": f"2026-11-24T23:{minute}:00Z#lake.ops.carrier_day", "rows": 5000 + 10 * minute, "seconds": 2.5, "cost_dollars": 0.0003}
        for minute in (10, 20)
    ],
    "lake.ops.flight_log": [{"sk": "2026-11-24T23:10:00Z#lake.ops.flight_log", "rows": 16, "seconds": 1.5, "cost_dollars": 0.0002}],
}


@cache
def compiled(text: str) -> Compilation:
    return compile_sources({"program.sql": text}, installed(), parse_snapshots(read_snapshots([str(AIRLINE / "program.sql")]) or {}))


def active() -> str:
    return (AIRLINE / "program.sql").read_text()


def edited(name: str) -> str:
    text = active()
    if name == "a statement is removed":
        return text[: text.index("INSERT INTO ops.published.airport_delays")]
    if name == "a statement is added":
        text += "\nCREATE MATERIALIZED VIEW lake.ops.worst EVERY '1 hour' REPLACE AS\n"
        return text + "SELECT carrier, max(mean_delay) AS worst FROM lake.ops.carrier_day GROUP BY carrier;\n"
    for old, new in CHANGES[name]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def planned(name: str, **more: Any) -> UpdateSet:
    old, new = compiled(active()), compiled(edited(name))
    arguments: dict[str, Any] = {"shape_of": shape_of, "boundary": BOUNDARY, "now": NOW, **more}
    return estimated(compare(old.program, old.lineage, new.program, new.lineage, **arguments), new.program, STATISTICS)


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_passed_over_is_what_looking_closely_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a statement that stays as it is over the same columns, the lineage is not asked."""
    asked = planned(name)
    monkeypatch.setattr(reach, "_columns_differ", lambda *_: True)
    assert planned(name) == asked


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_reads_as_expected(name: str) -> None:
    file = PLANS / f"{name.replace(' ', '_')}.txt"
    text = "\n".join(line for line, _ in lines(planned(name))) + "\n"
    if name in MORE:
        text += "\n---- with --restate-from\n\n" + "\n".join(line for line, _ in lines(planned(name, **MORE[name]))) + "\n"
    if os.environ.get("ATOLL_UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_every_plan_that_is_kept_is_tested() -> None:
    assert {file.stem for file in PLANS.glob("*.txt")} == {name.replace(" ", "_") for name in CHANGES}
