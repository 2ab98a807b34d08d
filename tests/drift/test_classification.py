"""What a change of a source means for a program: its kind, who uses it, what stands still; the table of the design, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_metadata.drift.changes import Change, DriftChange, classify, is_still, type_words
from shared_metadata.program import Mask, Mode, Program
from shared_metadata.program.lineage import ColumnRef, Lineage, Use
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_widening import PROMOTIONS
from tests.drift.programs import Writing, schema

PLANES = schema(
    tailnum="string", maker="string", seats="int", weight="float", price="decimal(10,2)", seen="timestamptz", note="string",
    cabin="struct<rows: int, crew: list<struct<role: string, since: date>>>", marks="map<string, int>",
)  # fmt: skip


def airline() -> tuple[Program, Lineage]:
    """planes ▸ fleet (reads maker, filters by seats) ▸ report ▸ published; planes ▸ prices (reads price, weight).

    planes ▸ insides (reads cabin, marks).
    """
    writing = Writing()
    writing.collect("ops.planes", PLANES, key="tailnum", cursor="seen", mode=Mode.MERGE)
    writing.view("lake.a.fleet", ["lake.raw.planes.maker"], uses=[("lake.raw.planes.seats", Use.FILTER)])
    writing.view("lake.a.report", ["lake.a.fleet.maker"])
    writing.publish("ops.out.report", ["lake.a.report.maker"])
    writing.view("lake.a.prices", ["lake.raw.planes.price", "lake.raw.planes.weight"])
    writing.view("lake.a.insides", ["lake.raw.planes.cabin", "lake.raw.planes.marks"])
    return writing.finish()


FLEET = ("lake.a.fleet", "lake.a.report", "ops.out.report", "ops.out.report:result")
PRICES = ("lake.a.prices",)
INSIDES = ("lake.a.insides",)
ALL = ("lake.raw.planes", "lake.raw.planes:staged", *FLEET, *PRICES, *INSIDES)
CREW = "list<struct<role: string, since: date>>"


def without(*names: str, then: Schema = PLANES) -> Schema:
    return Schema(tuple(c for c in then.columns if c.name not in names))


def retyped(name: str, kind: str, **more: object) -> Schema:
    return Schema(tuple(replace(c, type=kind, **more) if c.name == name else c for c in PLANES.columns))  # type: ignore[arg-type]


def drift(now: Schema | None, known: Schema = PLANES) -> list[DriftChange]:
    program, lineage = airline()
    return classify(known, now, "ops.planes", lineage, program)


@pytest.mark.parametrize(
    ("now", "kind", "column", "quiesces", "nulls"),
    [
        (Schema((*PLANES.columns, SchemaColumn("engine", "string", True, "engine"))), Change.COLUMN_ADDED, "engine", (), ()),
        (without("note"), Change.COLUMN_DROPPED, "note", (), ("note",)),
        (without("maker"), Change.COLUMN_DROPPED, "maker", FLEET, ("maker",)),
        (without("seats"), Change.COLUMN_DROPPED, "seats", FLEET, ("seats",)),
        (without("price"), Change.COLUMN_DROPPED, "price", PRICES, ("price",)),
        (without("tailnum"), Change.COLUMN_DROPPED, "tailnum", ALL, ("tailnum",)),
        (without("seen"), Change.COLUMN_DROPPED, "seen", ALL, ("seen",)),
        (retyped("seats", "long"), Change.TYPE_WIDENED, "seats", (), ()),
        (retyped("weight", "double"), Change.TYPE_WIDENED, "weight", (), ()),
        (retyped("price", "decimal(12,2)"), Change.TYPE_WIDENED, "price", (), ()),
        (retyped("price", "decimal(8,2)"), Change.TYPE_NARROWED, "price", PRICES, ()),
        (retyped("price", "decimal(12,3)"), Change.TYPE_CHANGED, "price", PRICES, ("price",)),
        (retyped("maker", "int"), Change.TYPE_CHANGED, "maker", FLEET, ("maker",)),
        (retyped("note", "int"), Change.TYPE_CHANGED, "note", (), ("note",)),
        (retyped("seen", "string"), Change.TYPE_CHANGED, "seen", ALL, ("seen",)),
        (retyped("maker", "string", source_type="varchar(9)"), Change.TYPE_RENAMED, "maker", (), ()),
        (retyped("maker", "string", nullable=False), Change.NULLS_REFUSED, "maker", (), ()),
        (None, Change.TABLE_DROPPED, "", ALL, ()),
    ],
)
def test_each_change_quiesces_exactly_who_uses_it_and_their_readers(
    now: Schema | None, kind: Change, column: str, quiesces: tuple[str, ...], nulls: tuple[str, ...]
) -> None:
    (change,) = drift(now)
    assert (change.kind, change.column, change.table) == (kind, column, "ops.planes")
    assert change.quiesces == tuple(sorted(quiesces))
    assert change.nulls == tuple(ColumnRef("lake.raw.planes", name) for name in nulls)


@pytest.mark.parametrize(
    ("column", "now", "kind", "quiesces", "nulls"),
    [
        ("cabin", f"struct<rows: long, crew: {CREW}>", Change.TYPE_WIDENED, (), False),
        ("cabin", f"struct<rows: int, crew: {CREW}, seats: int>", Change.TYPE_WIDENED, (), False),
        ("cabin", "struct<rows: int, crew: list<struct<role: string, since: date, ends: date>>>", Change.TYPE_WIDENED, (), False),
        ("cabin", f"struct<crew: {CREW}>", Change.TYPE_NARROWED, INSIDES, False),
        ("cabin", "struct<rows: int, crew: list<struct<role: string>>>", Change.TYPE_NARROWED, INSIDES, False),
        ("cabin", f"struct<rows: long, crew: {CREW.replace(', since: date', '')}>", Change.TYPE_NARROWED, INSIDES, False),
        ("cabin", f"struct<rows: string, crew: {CREW}>", Change.TYPE_CHANGED, INSIDES, True),
        ("cabin", f"struct<rows: int, crew: {CREW[5:-1]}>", Change.TYPE_CHANGED, INSIDES, True),
        ("cabin", "string", Change.TYPE_CHANGED, INSIDES, True),
        ("marks", "map<string, long>", Change.TYPE_WIDENED, (), False),
        ("marks", "map<string, string>", Change.TYPE_CHANGED, INSIDES, True),
        ("marks", "map<int, int>", Change.TYPE_CHANGED, INSIDES, True),
    ],
)
def test_a_struct_s_fields_and_a_map_s_values_change_as_columns_do(
    column: str, now: str, kind: Change, quiesces: tuple[str, ...], nulls: bool
) -> None:
    (change,) = drift(retyped(column, now))
    assert (change.kind, change.column, change.after, change.quiesces) == (kind, column, now, quiesces)
    assert change.nulls == ((ColumnRef("lake.raw.planes", column),) if nulls else ())


def test_a_struct_s_fields_in_another_order_stop_nobody() -> None:
    (change,) = drift(retyped("cabin", f"struct<crew: {CREW}, rows: int>"))
    assert (change.kind, change.quiesces, change.nulls) == (Change.TYPE_WIDENED, (), ())


def test_a_narrowed_column_whose_wider_form_is_known_goes_back_to_narrower() -> None:
    (change,) = drift(PLANES, known=retyped("seats", "long"))
    assert (change.kind, change.before, change.after, change.quiesces) == (Change.TYPE_NARROWED, "long", "int", FLEET)


def test_a_column_that_may_be_null_now_stops_nothing() -> None:
    (change,) = drift(PLANES, known=retyped("maker", "string", nullable=False))
    assert (change.kind, change.quiesces) == (Change.NULLS_ALLOWED, ())


def test_nothing_changed_and_columns_in_another_order_are_no_drift() -> None:
    assert drift(PLANES) == drift(Schema(tuple(reversed(PLANES.columns)))) == []


def test_every_use_is_named_with_its_place_in_the_order_of_the_text() -> None:
    program, lineage = airline()
    (change,) = classify(PLANES, without("seats"), "ops.planes", lineage, program)
    assert [(u.dataset, u.column, u.use, str(u.position)) for u in change.used_by] == [
        ("lake.a.fleet", "lake.raw.planes.seats", Use.FILTER, "program.sql:2:1")
    ]


def test_a_column_used_under_another_name_in_two_collected_tables_is_found_in_both() -> None:
    writing = Writing()
    writing.collect("ops.planes", PLANES, flow_id="lake.raw.planes")
    writing.collect("ops.planes", PLANES, into="lake.other", columns={"id": "tailnum", "label": "maker"})
    writing.view("lake.a.one", ["lake.raw.planes.maker"])
    writing.view("lake.a.two", ["lake.other.planes.label"])
    writing.view("lake.a.three", ["lake.other.planes.id"])
    program, lineage = writing.finish()
    (change,) = classify(PLANES, without("maker"), "ops.planes", lineage, program)
    assert change.quiesces == ("lake.a.one", "lake.a.two")
    assert change.nulls == (ColumnRef("lake.other.planes", "label"), ColumnRef("lake.raw.planes", "maker"))


def test_quoted_names_and_names_in_another_case_are_the_same_column() -> None:
    known = Schema((SchemaColumn("carrier_code__c", "string", True, "Carrier_Code__c", "string"),))
    writing = Writing()
    writing.collect("crm.Account", known)
    writing.view("lake.a.v", ["lake.raw.account.carrier_code__c"])
    program, lineage = writing.finish()
    (change,) = classify(known, Schema(()), "crm.Account", lineage, program)
    assert (change.column, change.before, change.quiesces) == ("Carrier_Code__c", "string", ("lake.a.v",))


@pytest.mark.parametrize(
    ("now", "renamed"),
    [
        (schema(tailnum="string", producer="string", seats="int"), "producer"),  # the place and the type
        (schema(tailnum="string", seats="int", maker_name="string"), "maker_name"),  # the type and a similar name
        (schema(tailnum="string", seats="int", engine="string"), ""),  # only the type
        (schema(tailnum="string", crew="int", seats="int"), ""),  # only the place
        (schema(tailnum="string", engine="string", seats="int", maker2="string"), "engine"),  # two candidates: the place decides
    ],
)
def test_a_probable_rename_is_told_by_type_place_and_name(now: Schema, renamed: str) -> None:
    program, lineage = airline()
    changes = classify(schema(tailnum="string", maker="string", seats="int"), now, "ops.planes", lineage, program)
    dropped = next(change for change in changes if change.kind == Change.COLUMN_DROPPED)
    assert dropped.probable_rename == renamed
    assert bool(dropped.evidence) == bool(renamed)


@pytest.mark.parametrize(
    ("values", "renamed", "said"),
    [({}, "maker2", False), ({"maker3": True}, "maker3", True), ({"maker2": False}, "maker3", False)],
)
def test_values_decide_between_columns_that_are_otherwise_as_likely(values: dict[str, bool], renamed: str, said: bool) -> None:
    program, lineage = airline()
    known = schema(tailnum="string", maker="string")
    now = schema(tailnum="string", a="int", maker2="string", maker3="string", z="int")
    changes = classify(known, now, "ops.planes", lineage, program, lambda gone, come: values.get(come.name))
    (dropped,) = (change for change in changes if change.kind == Change.COLUMN_DROPPED)
    assert (dropped.probable_rename, "values like those it held" in dropped.evidence) == (renamed, said)


def test_two_columns_renamed_at_once_are_each_told() -> None:
    known, now = schema(a="long", left="string", right="string", z="long"), schema(a="long", west="string", east="string", z="long")
    program, lineage = airline()
    found = {c.column: c.probable_rename for c in classify(known, now, "ops.planes", lineage, program)}
    assert (found["left"], found["right"]) == ("west", "east")


@pytest.mark.parametrize(
    "now", [without("maker"), retyped("price", "decimal(8,2)"), retyped("maker", "string", nullable=False), None]
)
def test_a_program_compiled_against_the_change_does_not_expect_the_former_state(now: Schema | None) -> None:
    _, lineage = airline()
    (change,) = drift(now)
    assert is_still(change, lineage)
    assert not is_still(change, Lineage(lineage.datasets, {"ops.planes": now} if now else {}))


def test_the_same_change_is_the_same_whoever_uses_it() -> None:
    (mine,) = drift(without("maker"))
    writing = Writing()
    writing.collect("ops.planes", PLANES)
    program, lineage = writing.finish()
    (other,) = classify(PLANES, without("maker"), "ops.planes", lineage, program)
    assert mine.identity == other.identity and mine.quiesces != other.quiesces
    assert mine.identity != drift(without("price"))[0].identity


@st.composite
def views(draw: st.DrawFn) -> list[tuple[str, list[str]]]:
    """Views over two source columns and over each other: name ▸ columns read."""
    found: list[tuple[str, list[str]]] = []
    readable = ["lake.raw.planes.maker", "lake.raw.planes.price", "lake.raw.planes.tailnum"]
    for number in range(draw(st.integers(1, 12))):
        name = f"lake.a.v{number}"
        reads = draw(st.lists(st.sampled_from(readable), min_size=1, max_size=3, unique_by=lambda r: r.rpartition(".")[2]))
        found.append((name, reads))
        readable += [f"{name}.{read.rpartition('.')[2]}" for read in reads]
    return found


@given(views())
def test_what_is_quiesced_is_what_can_be_reached_from_the_statements_that_use_the_column(found: list[tuple[str, list[str]]]) -> None:
    writing = Writing()
    writing.collect("ops.planes", PLANES)
    for name, reads in found:
        writing.view(name, reads)
    program, lineage = writing.finish()
    (change,) = classify(PLANES, without("maker"), "ops.planes", lineage, program)
    reached = {name for name, reads in found if "lake.raw.planes.maker" in reads}
    while more := {n for n, reads in found if n not in reached and any(r.rpartition(".")[0] in reached for r in reads)}:
        reached |= more
    assert set(change.quiesces) == reached


@given(st.sampled_from([c.name for c in PLANES.columns]), st.sampled_from(["int", "long", "string", "decimal(12,2)", "date"]))
def test_a_change_and_its_reverse_are_never_both_harmless_unless_the_type_stays(name: str, kind: str) -> None:
    now = retyped(name, kind)
    breaking = (Change.TYPE_NARROWED, Change.TYPE_CHANGED)
    there, back = drift(now), drift(PLANES, known=now)
    if there:
        assert any(change.kind in breaking for change in (*there, *back))
        assert there[0].before == back[0].after == type_words(next(c for c in PLANES.columns if c.name == name))


@pytest.mark.parametrize("name", ["price", "tailnum", "note"])
def test_a_hashed_column_may_change_its_type_and_a_dropped_one_may_do_as_it_likes(name: str) -> None:
    writing = Writing()
    masks = {"price": Mask.HASH, "tailnum": Mask.HASH, "note": Mask.DROP}
    writing.collect("ops.planes", PLANES, key="tailnum", cursor="seen", mode=Mode.MERGE, masks=masks)
    writing.view("lake.a.prices", ["lake.raw.planes.price", "lake.raw.planes.tailnum"])
    program, lineage = writing.finish()
    (change,) = classify(PLANES, retyped(name, "boolean"), "ops.planes", lineage, program)
    assert (change.kind, change.quiesces, change.nulls) == (Change.TYPE_CHANGED, (), ())
    (gone,) = classify(PLANES, without(name), "ops.planes", lineage, program)
    assert bool(gone.quiesces) == bool(gone.nulls) == (name != "note")


WIDER = {"seats": "long", "weight": "double", "price": "decimal(12,2)"}


@pytest.mark.parametrize("column", WIDER)
def test_a_type_is_wider_as_far_as_every_warehouse_that_keeps_the_table_makes_it_so(column: str) -> None:
    program, lineage = airline()
    (former,) = (c.type.partition("(")[0] for c in PLANES.columns if c.name == column)
    wide = (former, WIDER[column].partition("(")[0])
    for widens, kind in ((PROMOTIONS, Change.TYPE_WIDENED), ((wide,), Change.TYPE_WIDENED), ((), Change.TYPE_CHANGED)):
        able = replace(program, warehouses={"lake": replace(program.warehouses["lake"], widens=widens)})
        (change,) = classify(PLANES, retyped(column, WIDER[column]), "ops.planes", lineage, able)
        assert change.kind == kind
        assert bool(change.quiesces) == (kind == Change.TYPE_CHANGED)
