"""What a statement leaves open of how a table is collected: the source's table tells it, each its own, or it is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from language import ProgramErrors
from language.cache.statements import Memo
from language.compiler import compile_sources
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Flow, Kind, Mode, Program
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas, SourceSchemas, TableDefaults, names_a_change
from shared_metadata.update_set.compare import compare
from shared_metadata.update_set.statements import changed_parts, statements

COLUMNS = {"id": "long", "part": "long", "name": "string", "changed": "timestamptz", "gone": "boolean"}
SCHEMA = Schema(tuple(SchemaColumn(name, kind, True, name.capitalize(), kind) for name, kind in COLUMNS.items()))
CHANGING = TableDefaults(("id",), "changed", Mode.MERGE)
KEYED = TableDefaults(("id", "part"))
TOLD = {"public.changing": CHANGING, "public.keyed": KEYED, "public.marked": dataclasses.replace(CHANGING, deletes="by gone")}
TABLES = dict.fromkeys((*TOLD, "public.plain"), SCHEMA)
HEAD = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION src TO postgres WITH (secret = 's');\n"


def schemas(**told: TableDefaults) -> SourceSchemas:
    defaults = TOLD | {f"public.{name}": one for name, one in told.items()}
    return {"src": ConnectionSchemas("src", "postgres", TABLES, {}, defaults)}


def compiled(slices: Mapping[str, Slice], text: str, known: SourceSchemas | None = None, memo: Memo | None = None) -> Program:
    return compile_sources({"p.sql": f"{HEAD}{text};"}, slices, schemas() if known is None else known, memo).program


def tables_of(program: Program) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Each loaded dataset ▸ its mode, key and cursor; those of its staged one are the same."""
    found = {}
    for flow in program.flows.values():
        for table in flow.tables:
            own = flow.of(table.dataset)
            found[table.dataset] = (own.mode.value, own.key, own.cursor)
    assert all(found[name] == found[f"{name}:staged"] for name in found if ":" not in name)
    return {name.rpartition(".")[2]: how for name, how in found.items() if ":" not in name}


def test_each_table_of_a_list_is_collected_as_its_source_says(slices: Mapping[str, Slice]) -> None:
    found = tables_of(compiled(slices, "INSERT INTO lake.a FROM src.public TABLES (changing, keyed, plain) EVERY '1 hour'"))
    merged, replaced = ("MERGE", ("id",), "changed"), ("REPLACE", (), "")
    assert found == {"changing": merged, "keyed": replaced, "plain": replaced}


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("MERGE", {"changing": ("MERGE", ("id",), "changed"), "keyed": ("MERGE", ("id", "part"), "")}),
        ("MERGE CURSOR changed", {"changing": ("MERGE", ("id",), "changed"), "keyed": ("MERGE", ("id", "part"), "changed")}),
        ("MERGE ON (part)", {"changing": ("MERGE", ("part",), "changed"), "keyed": ("MERGE", ("part",), "")}),
        ("REPLACE", {"changing": ("REPLACE", (), ""), "keyed": ("REPLACE", (), "")}),
        ("APPEND CURSOR changed", {"changing": ("APPEND", (), "changed"), "keyed": ("APPEND", (), "changed")}),
    ],
)
def test_what_a_statement_says_wins(slices: Mapping[str, Slice], clauses: str, expected: dict[str, object]) -> None:
    text = f"INSERT INTO lake.a FROM src.public TABLES (changing, keyed) EVERY '1 hour' {clauses}"
    assert tables_of(compiled(slices, text)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * FROM src.public.changing", ("MERGE", ("id",), "changed")),
        ('SELECT "Id" AS number, "Changed" AS moved, "Name" AS name FROM src.public.changing', ("MERGE", ("number",), "moved")),
        ('SELECT "Name" AS name FROM src.public.plain', ("REPLACE", (), "")),
    ],
)
def test_a_query_has_its_table_s_key_and_cursor_by_the_names_that_it_gives_them(
    slices: Mapping[str, Slice], query: str, expected: object
) -> None:
    assert tables_of(compiled(slices, f"INSERT INTO lake.a.b EVERY '1 hour' AS {query}")) == {"b": expected}


@pytest.mark.parametrize(
    ("text", "at", "said", "remedy"),
    [
        ("FROM src.public TABLES (changing, plain) EVERY '1 hour' MERGE", "plain", "tells none of `plain`", "MERGE ON (id)"),
        (".b EVERY '1 hour' MERGE AS SELECT * FROM src.public.plain", "MERGE", "tells none of `src.public.plain`", "MERGE ON"),
        (
            ".b EVERY '1 hour' MERGE AS SELECT \"Id\" AS id FROM src.public.keyed",
            "MERGE",
            "`part`, the key of",
            "add it to the SELECT",
        ),
        (
            '.b EVERY \'1 hour\' AS SELECT "Name" AS id, "Changed" AS changed FROM src.public.changing',
            "EVERY '1 hour'",
            "`id`, the key of `src.public.changing`",
            "REPLACE needs none",
        ),
        (".b EVERY '1 hour' AS SELECT \"Id\" AS id FROM src.public.changing", "EVERY '1 hour'", "`changed`, the cursor", "CURSOR"),
        (".b EVERY '1 hour' MERGE AS SELECT count(*) AS id FROM src.public.keyed", "MERGE", "a query that computes", "MERGE ON"),
        (".b EVERY '1 hour' CURSOR changed AS SELECT * FROM src.public.plain", "changed", "CURSOR has no use in REPLACE", "MERGE"),
    ],
)
def test_where_the_source_does_not_tell_it_is_asked_for(
    slices: Mapping[str, Slice], text: str, at: str, said: str, remedy: str
) -> None:
    with pytest.raises(ProgramErrors) as wrong:
        compiled(slices, f"INSERT INTO lake.a{'' if text.startswith('.') else ' '}{text}")
    (found,) = wrong.value.diagnostics
    line = f"INSERT INTO lake.a{'' if text.startswith('.') else ' '}{text}"
    assert said in found.cause and line[found.column - 1 :].startswith(at), str(found)
    assert remedy.lower() in found.remedy.lower()


@pytest.mark.parametrize("verb", ["CREATE MATERIALIZED VIEW lake.a.v", "INSERT INTO src.public.out"])
def test_no_other_statement_has_a_merge_without_its_key(slices: Mapping[str, Slice], verb: str) -> None:
    text = "INSERT INTO lake.a FROM src.public TABLES (plain) EVERY '1 hour' REPLACE;\n"
    known = {"src": dataclasses.replace(schemas()["src"], tables={**TABLES, "public.out": None})}
    with pytest.raises(ProgramErrors, match="MERGE needs a key here"):
        compiled(slices, f"{text}{verb} EVERY '1 hour' MERGE AS SELECT id FROM lake.a.plain", known)


def test_rows_that_are_gone_are_marked_where_the_table_tells_them(slices: Mapping[str, Slice]) -> None:
    text = "INSERT INTO lake.a FROM src.public TABLES (changing, marked) EVERY '1 hour'"
    found = compile_sources({"p.sql": f"{HEAD}{text};"}, slices, schemas())
    assert found.lineage is not None
    own = {name: {column.name for column in dataset.columns} & {"_deleted"} for name, dataset in found.lineage.datasets.items()}
    assert own == {"lake.a.changing": set(), "lake.a.marked": {"_deleted"}}


def test_a_program_that_says_all_of_it_is_the_same_whatever_the_source_tells(slices: Mapping[str, Slice]) -> None:
    text = "INSERT INTO lake.a FROM src.public TABLES (changing, plain) EVERY '1 hour' MERGE ON (id) CURSOR changed"
    silent = {"src": ConnectionSchemas("src", "postgres", TABLES)}
    assert compiled(slices, text).flows == compiled(slices, text, silent).flows


def test_a_table_that_comes_to_be_merged_is_told_by_the_plan(slices: Mapping[str, Slice]) -> None:
    text = "INSERT INTO lake.a FROM src.public TABLES (changing, plain) EVERY '1 hour'"
    before, after = compiled(slices, text), compiled(slices, text, schemas(plain=KEYED, changing=TableDefaults()))
    (parts,) = [changed_parts(statements(after)[name], statements(before)[name]) for name in statements(before)]
    assert after.flows.keys() == compiled(slices, f"{text} REPLACE").flows.keys() and tables_of(after)["changing"] == (
        "REPLACE",
        (),
        "",
    )
    assert [(part.part, part.before, part.after) for part in parts] == [
        ("mode", Mode.REPLACE, Mode.MERGE),
        ("key", "", "id"),
        ("CURSOR", "", "changed"),
    ]
    found = compare(before, None, after, None)
    assert [one.dataset for one in found.breaking if "MERGE becomes REPLACE" in one.why] == ["lake.a.changing"]


def test_what_was_kept_of_a_statement_does_not_outlive_what_its_source_told(slices: Mapping[str, Slice]) -> None:
    text, memo = "INSERT INTO lake.a FROM src.public TABLES (changing, plain) EVERY '1 hour'", Memo()
    compiled(slices, text, memo=memo)
    now = schemas(plain=KEYED, changing=KEYED)
    again = compiled(slices, text, now, Memo(memo.to_bytes()))
    assert again.flows == compiled(slices, text, now).flows != compiled(slices, text).flows


def test_a_snapshot_keeps_what_a_source_tells() -> None:
    snapshot = schemas()["src"]
    assert ConnectionSchemas.from_json(snapshot.to_json()) == snapshot
    assert snapshot.defaults_of("PUBLIC.Changing") == CHANGING and snapshot.defaults_of("public.plain") == TableDefaults()


CHANGES = (
    *("updated_at", "updatedAt", "UpdatedDateUTC", "last_edited_time", "lastmodified", "hs_lastmodifieddate", "modified", "updated"),
    *("LastUpdateDate", "change_date", "date_modified", "dateUpdated", "EDITED", "lastModifiedDateTime", "modification_time"),
)
NO_CHANGES = (
    *("created_at", "credit_date", "credited_at", "exchange_date", "edition_date", "Exchanged", "unchanged_since", "editor_since"),
    *("accredited", "modifiers_at", "datetime", ""),
)


@pytest.mark.parametrize(("names", "said"), [(CHANGES, True), (NO_CHANGES, False)])
def test_a_column_is_known_as_one_of_changes_by_a_whole_word(names: tuple[str, ...], said: bool) -> None:
    assert [name for name in names if names_a_change(name) != said] == []


def test_a_flow_without_settings_of_tables_is_its_own(slices: Mapping[str, Slice]) -> None:
    program = compiled(slices, "INSERT INTO lake.a FROM src.public TABLES (keyed, plain) EVERY '1 hour' MERGE ON (id)")
    flows = [flow for flow in program.flows.values() if flow.kind in (Kind.COLLECT, Kind.LOAD)]
    assert len(flows) == 2 and all(flow.of(table.dataset) is flow for flow in flows for table in flow.tables)
    assert all(isinstance(flow, Flow) and flow.modes == {Mode.MERGE} for flow in flows)
