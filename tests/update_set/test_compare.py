"""What counts as breaking and what reaches whom, where the plans of the reference project do not show it."""

from __future__ import annotations

import pytest

from console.update_set import shape_of
from language.compiler import Compilation, compile_sources
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from shared_metadata.update_set import ColumnKind, Reason, UpdateSet, compare
from slices.registry import installed

PROGRAM = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION src TO postgres WITH (secret = 'src');
INSERT INTO lake.s FROM src.public TABLES (t) EVERY '1 hour' REPLACE;
CREATE MATERIALIZED VIEW lake.a.v EVERY '1 day' APPEND AS
SELECT k, small, large, batch_start() AS seen FROM lake.s.t;
CREATE MATERIALIZED VIEW lake.a.w EVERY '1 day' REPLACE AS SELECT k, max(large) AS large FROM lake.a.v GROUP BY k;
INSERT INTO src.public.out EVERY '1 day' MERGE ON (k) AS SELECT k, large FROM lake.a.w;
"""


def schemas(**types: str) -> dict[str, ConnectionSchemas]:
    known = {"k": "long", "small": "int", "large": "long", "note": "string", **types}
    columns = tuple(SchemaColumn(name, kind, name != "k", source=name, source_type=kind) for name, kind in known.items())
    return {"src": ConnectionSchemas("src", "postgres", {"public.t": Schema(columns), "public.out": None})}


def compiled(text: str, types: dict[str, str] | None = None) -> Compilation:
    return compile_sources({"program.sql": text}, installed(), schemas(**(types or {})))


def changed(*edits: tuple[str, str], types: dict[str, str] | None = None) -> UpdateSet:
    text = PROGRAM
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    old, new = compiled(PROGRAM), compiled(text, types)
    return compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)


def reasons(update: UpdateSet) -> set[tuple[str, str, Reason]]:
    return {(item.dataset, item.column, item.reason) for item in update.breaking}


def kinds(update: UpdateSet) -> set[tuple[str, str, ColumnKind]]:
    return {(c.dataset, c.column, c.kind) for c in update.columns}


def test_a_wider_type_reaches_its_readers_and_breaks_only_histories() -> None:
    update = changed(("max(large) AS large", "max(small) AS large"))
    assert ("lake.a.w", "large", ColumnKind.NARROWED) in kinds(update)
    back = compare(*_pair(update_from=("max(large) AS large", "max(small) AS large")), shape_of=shape_of)
    assert ("lake.a.w", "large", ColumnKind.WIDENED) in kinds(back) and not back.breaking
    assert [(r.dataset, r.columns) for r in back.readers] == [("src.public.out", ("large",))]


def _pair(update_from: tuple[str, str]) -> tuple[object, ...]:
    old, new = compiled(PROGRAM.replace(*update_from)), compiled(PROGRAM)
    return old.program, old.lineage, new.program, new.lineage


def test_another_type_is_breaking_in_a_table_and_in_a_target() -> None:
    update = changed(("max(large) AS large", "CAST(max(large) AS VARCHAR) AS large"))
    found = {item.dataset: item.why for item in update.breaking if item.reason == Reason.TYPE_CHANGED}
    assert "cannot change it in place" in found["lake.a.w"] and "made for long" in found["src.public.out"]
    assert update.breaking[0].dataset == "src.public.out", "what applications read comes first"


def test_another_type_at_the_source_reaches_exactly_what_uses_the_column() -> None:
    update = changed(types={"large": "double"})
    assert [c.words for c in update.changed] == [("columns of the source",)]
    reached = {reader.dataset: reader.columns for reader in update.readers}
    assert reached == {"lake.a.v": ("large",), "lake.a.w": ("large",), "src.public.out": ("large",)}
    unused = changed(types={"note": "long"})
    assert all(not reader.changes for reader in unused.readers) and len(unused.readers) == 3


def test_a_view_that_appends_keeps_its_history_also_when_only_its_input_changes() -> None:
    update = changed(("SELECT k, small, large, batch_start()", "SELECT k, small, large + 1 AS large, batch_start()"))
    assert ("lake.a.v", "", Reason.MIXED_HISTORY) in reasons(update)
    assert "values of large" in next(item.why for item in update.breaking if item.dataset == "lake.a.v")


def test_a_table_that_is_made_whole_has_no_mixed_history() -> None:
    assert not changed(("max(large) AS large", "min(large) AS large")).breaking


def test_an_added_column_breaks_nothing() -> None:
    update = changed(("SELECT k, small, large, batch_start()", "SELECT k, small, large, note, batch_start()"))
    assert kinds(update) == {("lake.a.v", "note", ColumnKind.ADDED)}
    assert not update.breaking and not any(reader.changes for reader in update.readers)


def test_a_longer_interval_of_a_view_that_is_made_whole_changes_no_data() -> None:
    update = changed(("lake.a.w EVERY '1 day'", "lake.a.w EVERY '12 hours'"))
    (change,) = update.changed
    assert [(p.part, p.before, p.after) for p in change.parts] == [("EVERY", 86400, 43200)]
    assert not update.other_rows and not update.breaking and not update.recompute


@pytest.mark.parametrize("place", ["TABLES (t) EVERY '1 hour' REPLACE", "out EVERY '1 day' MERGE ON (k)"])
def test_another_tolerance_breaks_nobody_changes_no_data_and_makes_nothing_anew(place: str) -> None:
    update = changed((place, f"{place} TOLERATE 5 BAD ROWS"))
    assert [part.part for change in update.changed for part in change.parts] == ["TOLERATE … BAD ROWS"]
    assert not update.breaking and not update.other_rows and not update.recompute
    assert not [reader for reader in update.readers if reader.changes or reader.rows_of]


def test_merging_into_what_was_collected_whole_keeps_its_history() -> None:
    update = changed(("EVERY '1 hour' REPLACE", "EVERY '1 hour' MERGE ON (k)"))
    assert not any(item.reason == Reason.MODE_CHANGED for item in update.breaking)
    back = changed(("APPEND AS", "REPLACE AS"))
    assert ("lake.a.v", "", Reason.MODE_CHANGED) in reasons(back)


def test_a_warehouse_that_another_system_keeps_is_breaking_for_each_of_its_tables() -> None:
    """Nothing of what is there goes along; what is published is made of the new tables, where it is."""
    update = changed(("USING iceberg", "USING redshift WITH (managed = TRUE)"))
    kept = {(name, "", Reason.ANOTHER_WAREHOUSE) for name in ("lake.s.t", "lake.a.v", "lake.a.w")}
    assert reasons(update) == kept and all("redshift" in item.why for item in update.breaking)
    assert reasons(changed(("USING iceberg", "USING iceberg WITH (keep = '1 day')"))) == set()


def test_a_table_that_is_no_longer_collected_is_removed_and_breaking() -> None:
    more = PROGRAM.replace("TABLES (t)", "TABLES (t, u)")
    known = schemas()["src"].tables["public.t"]
    sources = {"src": ConnectionSchemas("src", "postgres", {"public.t": known, "public.u": known, "public.out": None})}
    old = compile_sources({"program.sql": more}, installed(), sources)
    new = compile_sources({"program.sql": PROGRAM}, installed(), sources)
    update = compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)
    assert reasons(update) == {("lake.s.u", "", Reason.DATASET_REMOVED)}
    assert [c.words for c in update.changed] == [("tables and inputs",)] and not any(r.changes for r in update.readers)


@pytest.mark.parametrize("typed", [(False, False), (True, False), (False, True)])
def test_where_columns_are_not_known_every_reader_may_change(typed: tuple[bool, bool]) -> None:
    texts = PROGRAM, PROGRAM.replace("SELECT k, small, large, batch_start()", "SELECT k, small, large, note, batch_start()")
    old, new = (
        compile_sources({"program.sql": text}, installed(), schemas() if known else None)
        for text, known in zip(texts, typed, strict=True)
    )
    update = compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)
    assert not update.typed and not update.columns
    assert [(r.dataset, r.changes, r.known) for r in update.readers] == [("lake.a.w", True, False), ("src.public.out", True, False)]


def test_a_program_that_becomes_typed_changes_nothing() -> None:
    untyped, typed = compile_sources({"program.sql": PROGRAM}, installed()), compiled(PROGRAM)
    update = compare(untyped.program, None, typed.program, typed.lineage, shape_of=shape_of)
    assert update.empty and not update.readers


def test_a_first_program_only_adds() -> None:
    new = compiled(PROGRAM)
    update = compare(None, None, new.program, new.lineage)
    assert update.added == ("lake.a.v", "lake.a.w", "lake.s", "src.public.out")
    assert not (update.breaking or update.readers or update.recompute or update.changed)


def test_what_is_printed_as_json_is_whole() -> None:
    update = changed(("max(large) AS large", "CAST(max(large) AS VARCHAR) AS large"))
    values = update.to_dict()
    assert values["is_breaking"] and not values["empty"]
    assert values["breaking"][0]["position"]["line"] == 7 and values["breaking"][0]["reason"] == "type changed"
